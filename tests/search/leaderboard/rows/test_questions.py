"""Questions of a study, from real files: who is asked against whom, and corrected for how many."""

import pytest

from hybrid_swin.spec import registry
from search.leaderboard.board import Leaderboard
from search.leaderboard.end.answer import answer
from search.leaderboard.rows.questions import ask
from search.leaderboard.rows.study_rows import StudyRows

STAGE = {"width": 32, "depth": 2, "num_heads": 4}


def network(word):
    return {"image_size": 8, "stages": [{**STAGE, "blocks": [word]}]}


def add(study, name, word, skill, baseline=None, scores=(0.9,) * 5):
    changes = {"variant": network(word), "skill": skill, "is_baseline": baseline is not None}
    origin = f"trials/{len(name):04d}" if baseline is None else f"baselines/{baseline:02d}"
    study.finalist(name, list(scores), origin, name, **changes)


@pytest.fixture
def study(make_study):
    """MDTA is ahead of plain by its convolution: without attention it is as good."""
    study = make_study(images=500)
    add(study, "mdta", "w_msa+mdta", 2.0, baseline=1)
    add(study, "plain", "w_msa", -1.0, baseline=0)
    add(study, "no attention", "w_msa+mdta(attention=false)", 2.0, baseline=2)
    add(study, "no conv", "w_msa+mdta(depthwise=false)", -1.0, baseline=3)
    return study


def test_each_row_is_asked_against_the_first_baseline_and_its_controls(study):
    board = Leaderboard.from_folder(study.folder)
    label = {row.keys: row.label for row in board.rows}
    asked = {(label[q.row], label[q.against]): q for q in board.questions}
    assert {pair: q.cause for pair, q in asked.items()} == {
        ("mdta", "plain"): "mdta",
        ("no attention", "plain"): "mdta",
        ("no conv", "plain"): "mdta",
        ("mdta", "no attention"): "channel attention",
        ("mdta", "no conv"): "depthwise convolution",
    }
    assert asked["mdta", "plain"].verdict == asked["mdta", "no conv"].verdict == "ahead"
    assert asked["mdta", "no attention"].verdict == "tie"
    assert asked["mdta", "plain"].low > 0 > asked["mdta", "no attention"].low


def test_all_questions_share_the_level(study):
    built = [b for b in StudyRows.read(study.folder).built if b[0].fidelity == "final"]
    two = [b for b in built if b[0].label in ("mdta", "plain")]
    (alone,) = ask(two, "val/accuracy", "max", 0.05, matched=False)
    among = next(
        q
        for q in ask(built, "val/accuracy", "max", 0.05, matched=False)
        if (q.row, q.against) == (alone.row, alone.against)
    )
    assert among.ahead == alone.ahead
    assert among.p > alone.p and among.low < alone.low and among.high > alone.high


def test_the_answer_credits_what_the_control_bears_out(study):
    found = answer(Leaderboard.from_folder(study.folder))
    assert "ahead of" in found and "plain" in found
    assert "its depthwise convolution is shown to help" in found
    assert "its channel attention gets no credit" in found


def test_less_is_better(make_study):
    study = make_study(monitor="val/loss", mode="min")
    for name, baseline, losses in (("good", None, 0.3), ("plain", 0, 0.5)):
        scores = [losses + 0.002 * (seed * (baseline is None)) for seed in range(5)]
        runs = study.finalist(name, scores, f"baselines/{baseline or 1:02d}", name, skill=None,
                              is_baseline=baseline is not None)  # fmt: skip
        for (spec, _), loss in zip(runs, scores, strict=True):
            test = {"test/loss": loss}
            study.run(spec.key, "finalist", loss, name, candidate_id=name, stage="final",
                      seed_index=spec.seed_index, seed=spec.seed, origin=spec.origin,
                      is_baseline=spec.is_baseline, test=test)  # fmt: skip
    (question,) = Leaderboard.from_folder(study.folder).questions
    assert question.ahead == pytest.approx(0.196)
    assert 0 < question.low < 0.196 < question.high


def test_the_files_say_nothing_of_them(study):
    board = Leaderboard.from_folder(study.folder)
    told = board.to_dict()
    assert not {"questions", "limits", "matched", "damaged", "folders"} & set(told)


BLOCK = """from hybrid_swin import Branch


class Edges(Branch):
    def __init__(self, dim, num_heads, window_size, grid_size, kernel: int = 3):
        raise AssertionError("it is read, not run")
"""


def test_controls_of_a_plug_in_are_known_where_it_may_not_run(make_study):
    study = make_study(images=500)
    add(study, "plain", "w_msa", -1.0, baseline=0)
    add(study, "size", "w_msa+pointwise", -1.0, baseline=1)
    add(study, "edges", "edges+w_msa", 2.0)
    kept = study.folder / "plugins" / "edges.py"
    kept.parent.mkdir()
    kept.write_text(BLOCK)
    board = Leaderboard.from_folder(study.folder)
    label = {row.keys: row.label for row in board.rows}
    causes = {(label[q.row], label[q.against]): q.cause for q in board.questions}
    assert causes["edges", "size"] == "size"
    assert "edges" not in registry.names("branch")  # for the next study's own
    kept.write_text("class Edges")
    board = Leaderboard.from_folder(study.folder)
    assert "size" not in [q.cause for q in board.questions]
    assert any("edges.py cannot be read, so rows with its block" in n for n in board.damaged)
