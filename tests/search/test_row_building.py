from dataclasses import replace

import numpy as np
import pytest

from search.row_building import build_row, compare_with_best
from search.statistics.intervals import crossed_difference, paired_difference, t_interval
from search.statistics.probabilities import accuracy_interval
from search.statistics.unpaired import unpaired_crossed_difference, unpaired_difference

ACCURACY = ("val/accuracy", "max")


def right_images(study, candidate, seeds):
    matrix = []
    for seed in range(seeds):
        with np.load(study.folder / f"finalists/{candidate}/{seed}/predictions.npz") as file:
            matrix.append(file["logits"].argmax(1) == file["labels"])
    return np.array(matrix, dtype=float)


def test_a_row_of_seeds(make_study):
    study = make_study()
    scores = [0.90, 0.92, 0.97]
    runs = study.finalist("c", scores, "trials/0003", "w_msa+mdta")
    row, _ = build_row(study.folder, runs[::-1], *ACCURACY, search_score=0.99)
    interval = t_interval(scores)
    assert (row.validation_mean, row.validation_low) == (interval.mean, interval.low)
    assert row.validation_scores == tuple(scores)
    assert (row.label, row.origin, row.fidelity) == ("w_msa+mdta", "trials/0003", "final")
    assert (row.seeds, row.seeds_asked, row.state) == (3, 3, "complete")
    assert row.search_score == 0.99
    assert row.keys == ("finalists/c/0", "finalists/c/1", "finalists/c/2")
    assert (row.parameters, row.macs, row.latency_ms, row.latency_batch) == (
        23_400,
        1_210_000,
        3.5,
        64,
    )
    assert (row.peak_memory_mb, row.train_seconds, row.epochs) == (512.0, 21.5, 20)
    assert (row.data_hash, row.split_hash, row.code_hash) == (
        "d0d0d0d0d0",
        "5e5e5e5e5e",
        "c0c0c0c0c0",
    )
    assert row.metrics["val/accuracy"] == pytest.approx(0.93)
    assert row.undertrained is False


def test_a_test_interval_covers_seeds_and_images(make_study):
    study = make_study()
    row, _ = build_row(study.folder, study.finalist("c", [0.9] * 4), *ACCURACY)
    interval = accuracy_interval(right_images(study, "c", 4))
    assert row.test_covers == "seeds and images"
    assert row.test_mean == pytest.approx(interval.mean)
    assert (row.test_low, row.test_high) == (interval.low, interval.high)


def test_without_predictions_a_test_interval_covers_seeds(make_study):
    study = make_study()
    runs = study.finalist("c", [0.9] * 4)
    (study.folder / "finalists/c/2/predictions.npz").unlink()
    row, _ = build_row(study.folder, runs, *ACCURACY)
    interval = t_interval(row.test_scores)
    assert row.test_covers == "seeds"
    assert (row.test_low, row.test_high) == (interval.low, interval.high)


def test_one_seed_has_no_interval(make_study):
    study = make_study()
    row, _ = build_row(study.folder, study.finalist("c", [0.9]), *ACCURACY)
    assert row.test_mean is not None
    assert (row.validation_low, row.test_low, row.test_covers) == (None, None, "")


def test_a_lost_seed_is_left_out_of_the_mean_and_told(make_study):
    study = make_study()
    runs = study.finalist("c", [0.9, 0.8])
    runs += [study.run("finalists/c/2", "finalist", 0.1, "w_msa", seed_index=2, state="diverged")]
    row, _ = build_row(study.folder, runs, *ACCURACY)
    assert row.validation_mean == pytest.approx(0.85)
    assert (row.seeds, row.seeds_asked, row.state) == (2, 3, "diverged")


def test_a_stopped_trial_shows_its_last_score_and_a_failed_one_none(make_study):
    study = make_study()
    stopped, _ = build_row(
        study.folder, [study.trial(0, 0.4, state="stopped", epochs=5)], *ACCURACY
    )
    failed, _ = build_row(study.folder, [study.trial(1, None, state="failed")], *ACCURACY)
    assert (stopped.validation_mean, stopped.seeds, stopped.epochs) == (0.4, 0, 5)
    assert (failed.validation_mean, failed.seeds, failed.undertrained) == (None, 0, None)


def test_runs_that_differ_in_data_say_mixed(make_study):
    study = make_study()
    other = study.run("finalists/c/1", "finalist", 0.9, "w", seed_index=1, data_hash="other")
    runs = [*study.finalist("c", [0.9]), other]
    row, _ = build_row(study.folder, runs, *ACCURACY)
    assert (row.data_hash, row.split_hash) == ("mixed", "5e5e5e5e5e")


@pytest.mark.parametrize(
    ("test_hashes", "split"), [(("t", "t"), "varied"), (("t", "u"), "mixed"), (("", ""), "mixed")]
)
def test_splits_of_one_test_are_varied_and_else_mixed(make_study, test_hashes, split):
    study, runs = make_study(), []
    for seed, test_hash in enumerate(test_hashes):
        hashes = {"split_hash": f"s{seed}", "test_hash": test_hash}
        runs.append(
            study.run(f"finalists/c/{seed}", "finalist", 0.9, "w", seed_index=seed, **hashes)
        )
    assert build_row(study.folder, runs, *ACCURACY)[0].split_hash == split


def test_a_run_that_failed_knows_no_hash_and_mixes_none(make_study):
    study = make_study()
    lost = {"data_hash": "", "split_hash": "", "test_hash": "", "device": "", "state": "failed"}
    failed = study.run("finalists/c/1", "finalist", None, "w", seed_index=1, **lost)
    row, _ = build_row(study.folder, [*study.finalist("c", [0.9]), failed], *ACCURACY)
    assert (row.data_hash, row.test_hash, row.device) == ("d0d0d0d0d0", "7e577e5700", "cpu")


def test_undertrained_needs_half_of_the_seeds(make_study):
    study = make_study()
    rising = tuple({"epoch": e, "val/accuracy": 0.04 * e} for e in range(1, 21))
    runs = study.finalist("c", [0.8, 0.8, 0.8])
    for count, expected in ((1, False), (2, True)):
        risen = [(s, replace(r, history=rising)) for s, r in runs[:count]] + runs[count:]
        assert build_row(study.folder, risen, *ACCURACY)[0].undertrained is expected


def test_differences_are_paired_and_crossed(make_study):
    study = make_study()
    built = [
        build_row(study.folder, study.finalist(name, [score] * 4, skill=skill), *ACCURACY)
        for name, score, skill in (("a", 0.9, 1.0), ("b", 0.8, 0.9), ("c", 0.7, -3.0))
    ]
    best, tie, worse = compare_with_best(built)
    expected = crossed_difference(right_images(study, "b", 4), right_images(study, "a", 4))
    assert (tie.difference, tie.difference_low) == pytest.approx((expected.mean, expected.low))
    assert (best.difference, best.ties_with_best) == (None, None)
    assert (tie.ties_with_best, worse.ties_with_best) == (True, False)
    assert worse.difference_p < 0.05 < tie.difference_p
    assert worse.difference < 0


def test_only_shared_seeds_are_compared(make_study):
    study = make_study()
    first = build_row(study.folder, study.finalist("a", [0.9] * 4)[:3], *ACCURACY)
    second = build_row(study.folder, study.finalist("b", [0.8] * 4)[1:], *ACCURACY)
    row = compare_with_best([first, second])[1]
    a, b = right_images(study, "a", 4)[1:3], right_images(study, "b", 4)[1:3]
    assert row.difference == pytest.approx((b - a).mean())


@pytest.mark.parametrize("changes", [{"seed": 5}, {"split_hash": "another"}])
def test_seeds_that_are_not_truly_shared_are_not_paired(make_study, changes):
    study = make_study()
    best = build_row(study.folder, study.finalist("a", [0.9] * 4), *ACCURACY)
    runs = [
        (replace(s, **changes), r) if "seed" in changes else (s, replace(r, **changes))
        for s, r in study.finalist("b", [0.8] * 4)
    ]
    runs[0] = (replace(runs[0][0], seed=1000), replace(runs[0][1], split_hash="5e5e5e5e5e"))
    row = compare_with_best([best, build_row(study.folder, runs, *ACCURACY)])[1]
    expected = unpaired_crossed_difference(right_images(study, "b", 4), right_images(study, "a", 4))
    assert row.difference_paired is False  # one seed is shared: too few for pairs
    assert (row.difference, row.difference_low) == pytest.approx((expected.mean, expected.low))


def test_another_metric_is_compared_over_seeds_only(make_study):
    study = make_study(monitor="val/loss", mode="min")
    losses = {"a": [0.30, 0.31, 0.32], "b": [0.40, 0.44, 0.41]}
    built = []
    for name, values in losses.items():
        runs = [
            (s, replace(r, test={"test/loss": v}))
            for (s, r), v in zip(study.finalist(name, values), values, strict=True)
        ]
        built.append(build_row(study.folder, runs, "val/loss", "min"))
    row = compare_with_best(built)[1]
    expected = paired_difference(losses["b"], losses["a"])
    assert (row.difference, row.difference_p) == (expected.mean, expected.p_value)
    assert (row.test_covers, row.difference_paired) == ("seeds", True)
    (row_a, a), (row_b, b) = built
    b = replace(b, draws={seed: (99 + seed, "") for seed in b.draws})
    row = compare_with_best([(row_a, a), (row_b, b)])[1]
    expected = unpaired_difference(losses["b"], losses["a"])
    assert (row.difference, row.difference_p) == (expected.mean, expected.p_value)


def test_rows_without_test_are_not_compared(make_study):
    study = make_study()
    built = [
        build_row(study.folder, study.finalist(name, [0.9] * 3, skill=skill), *ACCURACY)
        for name, skill in (("a", 1.0), ("b", None), ("c", 1.0))
    ]
    rows = compare_with_best(built)
    assert [row.ties_with_best for row in rows] == [None, None, True]
    assert rows[1].test_mean is None
    assert compare_with_best([]) == []
