import time
from dataclasses import dataclass, field

import pytest

from search.leaderboard.board import Leaderboard
from search.leaderboard.joint_board import join
from search.leaderboard.rows.labels import labels, value_at
from search.leaderboard.sentences import sentences


@dataclass(frozen=True)
class Candidate:
    candidate_id: str
    variant: dict | None = None
    recipe: dict | None = None
    params: dict = field(default_factory=dict)
    label: str = "conv"


def network(*widths, **values):
    stages = [{"width": width, "depth": 1, "blocks": ["conv"]} for width in widths]
    return {"mlp_ratio": 2.0, "stages": stages, **values}


def searched(name, widths, rate=0.01, **values):
    params = {f"stages.{place}.width": width for place, width in enumerate(widths)}
    params |= {"recipe.learning_rate": rate, **values}
    return Candidate(name, network(*widths), {"learning_rate": rate}, params)


def test_what_differs_is_told_and_nothing_else():
    some = [searched("a", [32]), searched("b", [16]), searched("c", [32], 0.003)]
    assert labels(some) == [
        "conv (width 32, learning_rate 0.01)",
        "conv (width 16, learning_rate 0.01)",
        "conv (width 32, learning_rate 0.003)",
    ]
    assert labels(some[:2]) == ["conv (width 32)", "conv (width 16)"]
    assert labels([*some[:1], *some[:1]]) == ["conv", "conv"]  # seeds of one candidate


def test_names_are_as_short_as_they_can_be():
    some = [searched("a", [16, 32]), searched("b", [24, 64])]
    assert labels(some) == [
        "conv (stage 0 width 16, stage 1 width 32)",
        "conv (stage 0 width 24, stage 1 width 64)",
    ]


@pytest.mark.parametrize(
    ("values", "text"), [([0.1234567891, 0.2], "0.123457"), ([True, False], "true"), ([4, 2], "4")]
)
def test_values_are_short(values, text):
    some = [Candidate(str(v), params={"recipe.x": v}) for v in values]
    assert labels(some)[0] == f"conv (x {text})"


def test_a_baseline_has_no_parameters_and_yet_values():
    plain = Candidate("plain", network(48), {"learning_rate": 0.002})
    assert labels([searched("a", [32]), plain]) == [
        "conv (width 32, learning_rate 0.01)",
        "conv (width 48, learning_rate 0.002)",
    ]
    assert value_at(plain, "stages.0.width") == 48
    assert value_at(plain, "stages.1.width") is None
    assert value_at(plain, "stages.0.blocks.0.kernel") is None


def test_words_with_gaps_are_not_repeated():
    gap = "stages.0.blocks.0.fusion"
    some = [searched("a", [32], **{gap: "sum"}), searched("b", [16], **{gap: "gate"})]
    assert labels(some) == ["conv (width 32)", "conv (width 16)"]


def test_what_was_fixed_tells_rows_of_two_studies_apart():
    some = [
        Candidate(name, network(32), {"epochs": epochs, "batch_size": 64})
        for name, epochs in (("a", 10), ("b", 20))
    ]
    assert labels(some) == ["conv (epochs 10)", "conv (epochs 20)"]
    deep = [Candidate("a", network(8, 16)), Candidate("b", network(8, 32))]
    assert labels(deep) == ["conv (width 16)", "conv (width 32)"]


def fill(study, *widths, rate=0.001):
    for width in widths:
        params = {"stages.0.width": width, "recipe.learning_rate": rate}
        study.finalist(
            f"{study.folder.name}-{width}",
            [0.9, 0.9],
            variant={"stages": [{"width": width}]},
            recipe={"learning_rate": rate},
            params=params,
        )
    return study


def test_the_board_tells_retrained_rows_apart(make_study):
    study = fill(make_study(), 16, 32)
    for number in range(2):
        study.trial(number, 0.9, params={"stages.0.width": number})
    board = Leaderboard.from_folder(study.folder)
    assert {row.label for row in board.rows[:2]} == {"w_msa (width 16)", "w_msa (width 32)"}
    assert {row.label for row in board.rows[2:]} == {"w_msa"}
    assert f"Best by validation: {board.rows[0].label}, 90.0%" in " ".join(sentences(board))
    assert Leaderboard.from_folder(study.folder).digest() == board.digest()


def test_so_does_a_board_of_several_studies(make_study):
    studies = fill(make_study("one"), 16), fill(make_study("two"), 16, rate=0.01)
    rows = join([study.folder for study in studies]).rows
    assert {(row.study, row.label) for row in rows} == {
        ("one", "w_msa (learning_rate 0.001)"),
        ("two", "w_msa (learning_rate 0.01)"),
    }


def test_a_thousand_rows_are_quick():
    some = [searched(str(width), [width, 2 * width], 1 / width) for width in range(1, 1001)]
    begin = time.perf_counter()
    assert len(set(labels(some))) == 1000
    assert time.perf_counter() - begin < 2
