"""Whether rungs kept what was worth keeping: on scores whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from search.leaderboard.rung_audit import RankCorrelation, audit, sentences
from search.records.runs import RunResult, RunSpec
from search.settings.study import RungSettings

RUNGS = RungSettings("asha", "epochs", 1, 2, audit=2)
EPOCHS = 4


def run(key, scores, kind="trial", state=None, origin=""):
    """A run with these scores by epoch; stopped where there are fewer than four."""
    cost = {"macs": 10}
    spec = RunSpec(
        "s", key, kind, "search", "", {}, {"epochs": EPOCHS}, "", key, 0, origin=origin, cost=cost
    )
    state = state or ("complete" if len(scores) == EPOCHS else "stopped")
    history = tuple({"epoch": i + 1, "val/accuracy": s} for i, s in enumerate(scores))
    return spec, RunResult(
        key, 1, state, scores[-1], len(scores), EPOCHS, passes=len(scores), history=history
    )


def trial(number, *scores, **more):
    return run(f"trials/{number:04d}", scores, **more)


def finalist(origin, score):
    return run(f"finalists/{origin}/0", [score] * EPOCHS, kind="finalist", origin=origin)


def judged(runs):
    return audit(runs, RUNGS, "val/accuracy", "max")


# The winner is behind at the first rung, and would have stopped there had it come later.
LATE_BLOOMER = [
    trial(0, 0.1, 0.3, 0.5, 0.9),
    trial(1, 0.5, 0.6, 0.7, 0.8),
    trial(2, 0.4, 0.5, 0.6, 0.7),
    trial(3, 0.3),
    trial(4, 0.2),
]


def test_a_rung_that_would_have_thrown_the_winner_away_is_named():
    found = judged(LATE_BLOOMER)
    first, second = found.rungs
    assert (found.winner, found.stopped) == ("trials/0000", 2)
    assert (first.rung, first.reached, first.stopped) == (1, 5, 2)
    assert (first.winner_place, first.keeps_winner) == (5, False)
    assert (second.rung, second.reached, second.stopped) == (2, 3, 0)
    assert (second.winner_place, second.keeps_winner) == (3, False)
    assert first.with_end.value == pytest.approx(-0.5)
    assert any("it would have stopped the best of them" in line for line in sentences(found))


def test_the_winner_is_the_best_retrained_one():
    runs = [*LATE_BLOOMER, finalist("trials/0000", 0.7), finalist("trials/0001", 0.8)]
    found = judged(runs)
    assert found.winner == "trials/0001"
    assert found.rungs[0].winner_place == 1
    assert found.rungs[0].keeps_winner


def test_rungs_are_compared_with_fresh_seeds_too():
    runs = LATE_BLOOMER + [
        finalist(f"trials/{i:04d}", s) for i, s in ((0, 0.7), (1, 0.9), (2, 0.8))
    ]
    assert judged(runs).rungs[0].with_retrained.value == pytest.approx(1.0)
    assert judged(LATE_BLOOMER).rungs[0].with_retrained is None


def test_audits_count_those_that_would_have_won():
    audits = [
        run("audits/0003", [0.3, 0.5, 0.7, 0.95], kind="audit", origin="trials/0003"),
        run("audits/0004", [0.2, 0.3, 0.4, 0.5], kind="audit", origin="trials/0004"),
    ]
    found = judged(LATE_BLOOMER + audits)
    assert (found.stopped, found.audited, found.better) == (2, 2, 1)
    assert found.better_high == 0.5  # all were looked at, so the share is known
    assert found.winner == "audits/0003"
    assert found.rungs[0].with_end.n == 5
    # 14 passes of trials and 8 of audits, against 20 without rungs
    assert found.saved == pytest.approx(1 - 22 / 20)
    assert judged(LATE_BLOOMER).saved == pytest.approx(1 - 14 / 20)
    [line] = [line for line in sentences(found) if "after all" in line]
    assert "Of 2 stopped trials all were trained to their end after all: 1 beat every" in line
    text = " ".join(sentences(found))
    assert "rank 5 runs that came to their end (2 of them audits: stopped trials trained" in text
    assert "Stopping saved nothing: the 2 audits took 10% more than it spared." in text
    text = " ".join(sentences(judged(LATE_BLOOMER)))
    assert "rank 3 runs that came to their end with a correlation" in text
    assert text.endswith("Stopping saved 30% of the search's training.")


def test_few_audits_of_many_stopped_trials_bound_the_share_of_better_ones():
    """Drawn without replacement: 0 of 2 among 10 stopped ones allows 7 of 10, not 84%."""
    stopped = [trial(3 + number, 0.1) for number in range(10)]
    audits = [
        run(f"audits/{key:04d}", [0.1, 0.2, 0.3, 0.4], kind="audit", origin=f"trials/{key:04d}")
        for key in (3, 4)
    ]
    found = judged(LATE_BLOOMER[:3] + stopped + audits)
    allowed = [k for k in range(9) if stats.hypergeom.cdf(0, 10, k, 2) > 0.05]
    assert found.better_high == max(allowed) / 10 == 0.7
    [line] = [line for line in sentences(found) if "after all" in line]
    assert "(95%: at most 70% of stopped trials would)" in line


def test_where_every_trial_was_stopped_audits_beat_none():
    audit_run = run("audits/0003", [0.3, 0.5, 0.7, 0.95], kind="audit", origin="trials/0003")
    found = judged([*LATE_BLOOMER[3:], audit_run])
    assert (found.kept, found.better, found.better_high) == (0, 0, None)
    text = " ".join(sentences(found))
    assert "every trial was stopped, so there is none to compare them with" in text
    assert "beat every trial" not in text


def test_what_broke_was_not_saved():
    broken = [trial(5, 0.2, state="failed"), trial(6, 0.2, state="diverged")]
    assert judged(LATE_BLOOMER + broken).saved == judged(LATE_BLOOMER).saved


def test_less_is_better_where_the_mode_says_so():
    found = audit(LATE_BLOOMER, RUNGS, "val/accuracy", "min")
    assert found.winner == "trials/0002"
    assert found.rungs[0].winner_place == 4


def test_without_rungs_or_trials_nothing_is_said():
    assert audit(LATE_BLOOMER, RungSettings(first=0), "val/accuracy", "max") is None
    assert judged([]) is None
    assert sentences(None) == []
    failed = [trial(0, 0.5, state="failed")]
    assert judged(failed).winner == ""


def test_the_interval_of_a_rank_correlation_covers():
    """Of bivariate normal samples, whose rank correlation is 6/pi arcsin(rho/2)."""
    draw = np.random.default_rng(0)
    truth = 6 / np.pi * np.arcsin(0.7 / 2)
    covered = 0
    for _ in range(1000):
        first, noise = draw.standard_normal((2, 12))
        found = RankCorrelation.of(list(first), list(0.7 * first + np.sqrt(1 - 0.49) * noise))
        covered += found.low <= truth <= found.high
    assert 0.92 <= covered / 1000 <= 0.98


def test_too_few_runs_have_no_interval():
    assert RankCorrelation.of([1, 2], [1, 2]) is None
    assert RankCorrelation.of([1, 1, 1], [1, 2, 3]) is None
    assert RankCorrelation.of([1, 2, 3], [1, 2, 4]).low is None


def test_without_audits_what_was_stopped_is_said_to_be_unknown():
    said = " ".join(sentences(judged(LATE_BLOOMER)))
    assert "whether a better one was among them is not known" in said
    audits = [run("audits/0003", [0.3, 0.5, 0.7, 0.95], kind="audit", origin="trials/0003")]
    assert "not known" not in " ".join(sentences(judged(LATE_BLOOMER + audits)))


def test_a_candidate_that_is_a_baseline_and_a_trial_counts_once():
    runs = [trial(n, 0.1 * n, 0.2, 0.3, 0.5 + 0.1 * n) for n in range(3)]
    spec, result = runs[0]
    twin = replace(spec, key="baselines/00", kind="baseline"), replace(result, key="baselines/00")
    first, again = (judged(r).rungs[0].with_end for r in (runs, [*runs, twin]))
    assert first == again and first.n == 3
