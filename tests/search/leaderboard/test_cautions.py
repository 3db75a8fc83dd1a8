"""Which cautions stand on the last page: the first three, in the order that the module states."""

import pytest

from hybrid_swin.training.batch_norm_note import batch_norm_note
from search.leaderboard.board import Leaderboard
from search.leaderboard.cautions import cautions, top_cautions
from search.leaderboard.end.shared_cautions import MOST_CAUTIONS
from search.records.time_limit import TimeLimit, write_time_limit


def shown(study):
    return top_cautions(Leaderboard.from_folder(study.folder))


SHORT = {"epochs": 3, "history": [{"epoch": e + 1, "val/accuracy": 0.9} for e in range(3)]}


def two_rows(study, seeds=5, **changes):
    study.finalist("a", [0.93, 0.94, 0.95, 0.94, 0.93][:seeds], label="mdta", skill=3.0, **changes)
    base = {"is_baseline": True, "origin": "baselines/00"}
    study.finalist("b", [0.83, 0.84, 0.85, 0.84, 0.83][:seeds], label="plain", **base)
    return study


def test_a_sound_study_has_none(make_study):
    assert shown(two_rows(make_study())) == []


def test_rows_that_did_not_start_alike_are_named(make_study):
    study = make_study()
    for name, label, fresh in (("a", "mdta", 0.3), ("b", "plain", 0.002)):
        study.finalist(name, [0.93, 0.94, 0.95, 0.94, 0.93], label=label, skill=3.0, fresh=fresh)
    board = Leaderboard.from_folder(study.folder)
    (found,) = [text for text in shown(study) if "start alike" in text]
    assert "plain 0.2% of its parameters began fresh, of #" in found and "mdta 30%," in found
    assert {row["fresh"] for row in board.table()} == {0.3, 0.002}
    anew = Leaderboard.from_folder(two_rows(make_study("anew")).folder)
    assert "fresh" not in anew.columns and "fresh" not in anew.to_dict()["rows"][0]


def test_three_at_most_and_the_worst_first(make_study):
    study = two_rows(make_study(), seeds=3, code_hash="other code", **SHORT)
    study.trial(5, 0.9, ended=False)
    found = shown(study)
    assert len(found) == MOST_CAUTIONS == 3
    assert found[0] == "1 run has not ended: this is not a final result."
    assert found[1].startswith("Rows differ in their ")
    assert "seeds give wide" not in " ".join(found)  # true, and further down


@pytest.mark.parametrize(
    ("planned", "seeds", "harm"),
    [
        (3, 2, "2 seeds can hardly show a difference"),
        (8, 5, "intervals are wider than planned"),
    ],
)
def test_seeds_that_the_time_limit_cost_come_first(make_study, planned, seeds, harm):
    study = two_rows(make_study(), seeds=min(5, seeds))
    study.trial(5, 0.9, ended=False)
    write_time_limit(study.folder, TimeLimit(0.2, 4, planned, seeds=seeds))
    assert shown(study)[0] == (
        f"The time limit cut the seeds from {planned} to {seeds}: {harm}. The same command with "
        "more --hours trains the others."
    )
    write_time_limit(study.folder, TimeLimit(0.2, 4, planned))
    assert shown(study)[0].startswith("1 run has not ended")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"code_hash": "other"},
            "Rows differ in their code (code_hash), not in their blocks alone.",
        ),
        (SHORT, "Below 5 epochs nobody can tell whether training had ended: #1."),
        (
            {"history": [{"epoch": e + 1, "val/accuracy": 0.04 * e} for e in range(20)]},
            "Still improving when training ended, so left out: #1. Train longer (recipe.epochs).",
        ),
        ({"cost": {"macs": 2_420_000}}, "#1: 2.0 times the MACs of #2 plain, so size may explain"),
    ],
)
def test_what_is_said_of_rows(make_study, changes, words):
    assert words in " ".join(shown(two_rows(make_study(), **changes)))


def test_what_ran_out_of_memory_is_named(make_study):
    study = two_rows(make_study())
    study.trial(5, None, "mdta+conv", state="infeasible", epochs=0, error="out of memory")
    assert shown(study) == [
        "Ran out of memory, also with half the images at once, so infeasible here: mdta+conv. A "
        "smaller recipe.batch_size, or workers.devices 2, needs less."
    ]


def test_batch_norm_over_micro_batches_is_named_and_changes_no_digest(make_study):
    plain = Leaderboard.from_folder(two_rows(make_study()).folder)
    study = two_rows(make_study("parts"), error=batch_norm_note(32))
    said = (
        "Memory ran out, so batch norm took its statistics over micro-batches, not over whole "
        "batches, in mdta: not their blocks alone differ."
    )
    board = Leaderboard.from_folder(study.folder)
    assert top_cautions(board)[0] == said and said in cautions(board)
    assert board.digest() == plain.digest()


def test_equal_costs_are_no_caution_where_they_were_matched(make_study):
    budget = {"mode": "match", "macs": "1.2M"}
    study = two_rows(make_study(budget=budget), cost={"macs": 2_420_000})
    assert "size" not in " ".join(shown(study))


def test_few_seeds_and_readings_by_others(make_study):
    study = two_rows(make_study(), seeds=3)
    assert shown(study) == ["3 seeds give wide intervals; 5 are the least for a claim."]
    other = study.folder.parent / "test_reads.jsonl"
    read = (
        '{"study": "other", "key": "finalists/c/0", "reader": "study", "time": "2026-01-01", '
        '"test_hash": "7e577e5700", "data_hash": "d0d0d0d0d0", "event": "read"}\n'
    )
    other.write_text(read)
    assert any("1 of them by other studies or commands" in text for text in shown(study))


def test_a_search_that_is_no_better_than_chance(make_study):
    study = two_rows(make_study())
    for number, score in enumerate((0.95, 0.93, 0.96)):
        study.run(
            f"random/{number:02d}", "random", score, "w_msa", stage="final", seed_index=number
        )
    found = "The search is not shown to beat random candidates: "
    assert found in shown(study)[0]
    for number in range(3):  # candidates by chance that are worse
        study.run(f"random/{number:02d}", "random", 0.2, "w_msa", stage="final", seed_index=number)
    assert found not in " ".join(shown(study))
