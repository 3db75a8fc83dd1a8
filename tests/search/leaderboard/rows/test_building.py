from dataclasses import replace

import numpy as np
import pytest

from search.leaderboard.costs import cost_text
from search.leaderboard.rows.building import _about_latency, build_mean_row, build_row
from search.leaderboard.rows.comparison import choose_reference, compare_rows
from search.records.runs import RunResult, iter_runs
from search.statistics.best import selected_confidence
from search.statistics.intervals import crossed_difference, paired_difference, score_interval
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
    interval = score_interval(scores, (0.0, 1.0), 225)  # images that validated
    assert row.validation_mean == pytest.approx(interval.mean)
    assert (row.validation_low, row.validation_high) == (interval.low, interval.high)
    assert row.interval_confidence == 0.95
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
    interval = score_interval(row.test_scores, (0.0, 1.0), 300)
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


def test_patience_that_ended_a_training_ends_the_doubt(make_study):
    study = make_study()
    history = tuple({"epoch": e, "val/accuracy": s} for e, s in enumerate([0.1, 0.5, 0.8, 0.7], 1))
    runs = [(s, replace(r, history=history)) for s, r in study.finalist("c", [0.8, 0.8])]
    assert build_row(study.folder, runs, *ACCURACY)[0].undertrained is None
    patient = [(replace(s, recipe={**s.recipe, "early_stopping": 1}), r) for s, r in runs]
    assert build_row(study.folder, patient, *ACCURACY)[0].undertrained is False


def built_rows(study, *given, **changes):
    """Rows of four seeds: name, score on validation, skill on test, score in the search."""
    rows = []
    for name, score, skill, searched in given:
        runs = study.finalist(name, [score] * 4, f"trials/{name}", skill=skill, **changes)
        rows.append(build_row(study.folder, runs, *ACCURACY, search_score=searched))
    return rows


def test_differences_are_paired_and_crossed(make_study):
    study = make_study()
    built = built_rows(study, ("a", 0.9, 1.0, 0.95), ("b", 0.8, 0.9, 0.9), ("c", 0.7, -3.0, 0.8))
    best, tie, worse = compare_rows(built, *ACCURACY)
    expected = crossed_difference(
        right_images(study, "b", 4), right_images(study, "a", 4), 1 - 0.05 / 2
    )
    assert (tie.difference, tie.difference_low) == pytest.approx((expected.mean, expected.low))
    assert tie.difference_confidence == 1 - 0.05 / 2  # of two that hold together
    assert (best.difference, best.is_test_reference) == (None, True)
    assert [row.may_be_best for row in (best, tie, worse)] == [True, True, False]
    assert worse.difference_p < 0.05 < tie.difference_p
    assert (tie.difference_shown, worse.difference_shown) == (False, True)
    assert worse.difference < 0 < worse.difference_detectable


def test_the_reference_is_chosen_by_other_runs_than_those_compared(make_study):
    built = built_rows(
        make_study(), ("a", 0.9, 1.0, 0.80), ("b", 0.8, 0.9, 0.99), ("c", 0.7, 0.5, None)
    )
    assert choose_reference(built, "max") == 1
    assert choose_reference(built, "min") == 0
    rows = compare_rows(built, *ACCURACY)
    assert [row.is_test_reference for row in rows] == [False, True, False]
    assert rows[1].difference is None
    assert rows[0].difference > 0


def test_without_a_search_score_the_first_baseline_is_the_reference(make_study):
    study = make_study()
    built = built_rows(study, ("a", 0.9, 1.0, None))
    for name, number in (("late", 1), ("early", 0)):
        origin = f"baselines/{number:02d}"
        runs = study.finalist(name, [0.7] * 4, origin, is_baseline=True)
        built.append(build_row(study.folder, runs, *ACCURACY))
    assert choose_reference(built, "max") == 2


def test_the_named_best_has_the_confidence_of_one_selected_among_all(make_study):
    study = make_study()
    built = built_rows(study, *((name, 0.9, 0.5, 0.9) for name in "abcde"))
    rows = compare_rows(built, *ACCURACY)
    confidence = selected_confidence(5)
    assert [row.interval_confidence for row in rows] == [confidence, *[0.95] * 4]
    expected = accuracy_interval(right_images(study, "a", 4), confidence)
    assert (rows[0].test_low, rows[0].test_high) == (expected.low, expected.high)
    assert rows[0].test_low < built[0][0].test_low
    expected = score_interval([0.9] * 4, (0.0, 1.0), 225, confidence)
    assert (rows[0].validation_low, rows[0].validation_high) == (expected.low, expected.high)


def test_intervals_stay_within_what_a_metric_can_be(make_study):
    """Seeds that all agree, and seeds that could not differ more."""
    study = make_study()
    perfect, _ = build_row(study.folder, study.finalist("p", [1.0] * 3), *ACCURACY)
    assert perfect.validation_high == 1.0 and 0.9 < perfect.validation_low < 1.0
    wild, _ = build_row(study.folder, study.finalist("w", [1.0, 0.0]), *ACCURACY)
    assert 0.0 <= wild.validation_low < 0.5 < wild.validation_high <= 1.0
    key, test = "random/final-0", {"test/accuracy": 0.9}
    runs = [study.run(f"{key}{n}", "random", s, "w", test=test) for n, s in enumerate((0.99, 0.7))]
    mean, _ = build_mean_row(study.folder, runs, "val/accuracy")
    assert 0.0 <= mean.validation_low < 0.845 < mean.validation_high <= 1.0
    assert mean.test_low < 0.9 < mean.test_high
    loss, _ = build_row(study.folder, study.finalist("l", [0.1, 2.0]), "val/loss", "min")
    assert loss.validation_low == 0.0 and loss.validation_high > 2.0
    user, _ = build_row(study.folder, study.finalist("u", [-0.5, 0.9]), "val/mcc", "max")
    assert -1.0 <= user.validation_low < user.validation_high <= 1.0


def test_images_of_one_group_are_one_image(make_study):
    study = make_study()
    row, _ = build_row(study.folder, study.finalist("a", [1.0] * 3), *ACCURACY)
    runs = study.finalist("b", [1.0] * 3, validation_groups=9)
    grouped, _ = build_row(study.folder, runs, *ACCURACY)
    assert row.validation_images == grouped.validation_images == 225
    assert (row.validation_items, grouped.validation_items) == (225, 9)
    assert grouped.validation_low < row.validation_low


@pytest.mark.parametrize(
    ("first", "second", "pairs"),
    [
        (range(10), range(8, 10), 2),  # all seeds of the smaller row
        (range(10), range(8, 18), 0),  # two of ten would throw the others away
        (range(3), range(1, 4), 0),
        (range(4), range(1, 5), 3),
    ],
)
def test_pairs_are_used_where_they_keep_most_of_the_data(make_study, first, second, pairs):
    study = make_study()
    built = []
    for name, seeds in (("a", first), ("b", second)):
        runs = study.finalist(name, [0.9] * 18)
        built.append(build_row(study.folder, [runs[seed] for seed in seeds], *ACCURACY))
    rows = compare_rows(built, *ACCURACY)
    row = next(row for row in rows if not row.is_test_reference)
    assert row.difference_paired is (pairs > 0)
    a, b = ([seed for seed in seeds] for seeds in (first, second))
    if pairs:
        a = b = sorted(set(first) & set(second))
    expected = right_images(study, "b", 18)[b].mean() - right_images(study, "a", 18)[a].mean()
    assert row.difference == pytest.approx(expected)


@pytest.mark.parametrize("changes", [{"seed": 5}, {"split_hash": "another"}])
def test_seeds_that_are_not_truly_shared_are_not_paired(make_study, changes):
    study = make_study()
    best = build_row(study.folder, study.finalist("a", [0.9] * 4), *ACCURACY)
    runs = [
        (replace(s, **changes), r) if "seed" in changes else (s, replace(r, **changes))
        for s, r in study.finalist("b", [0.8] * 4)
    ]
    runs[0] = (replace(runs[0][0], seed=1000), replace(runs[0][1], split_hash="5e5e5e5e5e"))
    row = compare_rows([best, build_row(study.folder, runs, *ACCURACY)], *ACCURACY)[1]
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
    row = compare_rows(built, "val/loss", "min")[1]
    expected = paired_difference(losses["b"], losses["a"])
    assert (row.difference, row.difference_p) == (expected.mean, expected.p_value)
    assert (row.test_covers, row.difference_paired) == ("seeds", True)
    (row_a, a), (row_b, b) = built
    b = replace(b, draws={seed: (99 + seed, "") for seed in b.draws})
    row = compare_rows([(row_a, a), (row_b, b)], "val/loss", "min")[1]
    expected = unpaired_difference(losses["b"], losses["a"])
    assert (row.difference, row.difference_p) == (expected.mean, expected.p_value)


def test_rows_without_test_are_not_compared(make_study):
    study = make_study()
    built = [
        build_row(study.folder, study.finalist(name, [0.9] * 3, skill=skill), *ACCURACY)
        for name, skill in (("a", 1.0), ("b", None), ("c", 1.0))
    ]
    rows = compare_rows(built, *ACCURACY)
    assert [row.may_be_best for row in rows] == [True, None, True]
    assert [row.difference is None for row in rows] == [True, True, False]
    assert rows[1].test_mean is None
    assert compare_rows([], *ACCURACY) == []


def test_latencies_have_a_spread_and_are_of_one_way_or_none():
    def results(**other):
        way = {"batch": 8, "threads": 1, "device": "cpu"}
        spans = [(2.0, 1.0, 2.5), (4.0, 3.5, 9.0), (3.0, 2.9, 3.1)]
        latencies = [{"median_ms": m, "low_ms": a, "high_ms": b, **way} for m, a, b in spans]
        latencies[0] |= other
        return [RunResult("k", 1, "complete", 0.5, latency=one) for one in latencies]

    assert _about_latency(results()) == {
        "latency_ms": 3.0,
        "latency_low": 1.0,
        "latency_high": 9.0,
        "latency_device": "cpu",
        "latency_threads": 1,
        "latency_batch": 8,
    }
    # of an earlier version, without ends
    old = _about_latency(results(low_ms=None))
    assert (old["latency_ms"], old["latency_low"], old["latency_high"]) == (3.0, None, None)
    assert _about_latency(results(batch=64)) == {}
    assert _about_latency(results(device="cuda")) == {}
    assert _about_latency([]) == {}


def test_a_latency_is_shown_with_its_spread(make_study):
    study = make_study()
    row, _ = build_row(study.folder, study.finalist("c", [0.9, 0.8]), *ACCURACY)
    assert cost_text(row, "latency") == "3.5"  # of an earlier version, without ends
    row = replace(row, latency_low=3.25, latency_high=4.0)
    assert cost_text(row, "latency") == "3.5 [3.25, 4]"


def test_answers_of_random_candidates_that_are_lost_are_named(make_study):
    study = make_study()
    runs = [
        study.run(f"random/final-0{n}", "random", 0.9, "w", stage="final", answers=True)
        for n in range(2)
    ]
    study.validate(runs[:1])
    _, evidence = build_mean_row(study.folder, [*iter_runs(study.folder)], "val/accuracy")
    assert evidence.validated is None
    assert [reason.split("/")[-2:] for reason in evidence.lost_validated] == [
        ["final-01", "validation.npz cannot be read"]
    ]
