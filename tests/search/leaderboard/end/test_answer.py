"""The answer of a study is a function of its board: boards made by hand."""

import textwrap
from dataclasses import replace

import pytest

from search.leaderboard.board import Leaderboard
from search.leaderboard.end.answer import answer
from search.leaderboard.rows.against_reference import AgainstReference, Lead
from search.leaderboard.rows.questions import Question
from search.leaderboard.rows.row import Row

GIVEN = " (5 seeds, 359 test images)."


def row(rank, label, *, baseline=False, seeds=5, kind="final", **changes):
    place = f"{'baselines' if baseline else 'trials'}/{rank or 0:04d}"
    told = {
        "rank": rank,
        "validation_mean": 0.9,
        "test_mean": 0.9 if kind == "final" else None,
        "test_images": 359,
        "undertrained": False,
        "may_be_best": True,
        "keys": (label,),
        "macs": 1_000_000,
    }
    return Row(label, "v", label, place, kind, baseline, "complete", seeds, seeds, **told | changes)


def ask(one, other, ahead, verdict="ahead", *, cause="", half=0.02, **changes):
    told = {"p": 0.01, "detectable": 0.06}
    told |= changes
    return Question(
        (one,), (other,), cause, ahead, ahead - half, ahead + half, verdict=verdict, **told
    )


def board(rows, questions=(), **changes):
    told = {"study": "s", "monitor": "val/accuracy", "mode": "max", "pending": 0, "test_reads": 0}
    told |= {"reference_reads": 0, "rows": tuple(rows), "questions": tuple(questions)}
    return Leaderboard(**told | changes)


MDTA, CONV = row(1, "w_msa+mdta"), row(2, "conv+w_msa")
PLAIN = row(3, "plain Swin", baseline=True)
NO_ATTENTION = row(4, "no attention", baseline=True)
NO_CONV = row(5, "no conv", baseline=True)
MDTA_AHEAD = ask("w_msa+mdta", "plain Swin", 0.05)
CONV_AHEAD = ask("conv+w_msa", "plain Swin", 0.045)


def test_one_row_is_ahead():
    found = board([MDTA, PLAIN], [MDTA_AHEAD])
    assert answer(found) == (
        "On test, #1 w_msa+mdta is 5.0 points [3.0, 7.0] ahead of #3 plain Swin; what the gain of "
        f"#1 is due to was not tested by a control{GIVEN}"
    )


def test_several_are_ahead_and_tied():
    found = answer(board([MDTA, CONV, PLAIN], [MDTA_AHEAD, CONV_AHEAD]))
    assert found.startswith(
        "On test, #1 w_msa+mdta (5.0 points [3.0, 7.0]) and #2 conv+w_msa (4.5 points [2.5, 6.5]) "
        "are ahead of #3 plain Swin; which of the two is better is not shown; "
    )


def test_one_of_those_ahead_may_alone_be_the_best():
    rows = [MDTA, replace(CONV, may_be_best=False), replace(PLAIN, may_be_best=False)]
    found = answer(board(rows, [MDTA_AHEAD, CONV_AHEAD]))
    assert "the best of all is shown to be #1 w_msa+mdta" in found
    assert "not shown;" not in found
    # of three that are ahead, two may be the best
    third = row(6, "third", may_be_best=False)
    rows = [MDTA, CONV, PLAIN, third]
    three = [MDTA_AHEAD, CONV_AHEAD, ask("third", "plain Swin", 0.03)]
    assert "; which of #1 and #2 is better is not shown" in answer(board(rows, three))


def test_more_rows_than_are_named():
    rows = [row(rank, f"row{rank}") for rank in range(1, 6)]
    found = answer(
        board([*rows, replace(PLAIN, rank=6)], [ask(r.label, "plain Swin", 0.05) for r in rows])
    )
    assert "#1 row1 (5.0 points [3.0, 7.0]) and 4 more are ahead of #6 plain Swin" in found
    assert "which of them is better is not shown" in found


def test_an_answer_with_all_its_clauses_is_read_at_once():
    more = [row(rank, f"w_msa+block{rank}") for rank in range(6, 9)]
    rows = [MDTA, CONV, PLAIN, NO_ATTENTION, NO_CONV, *more]
    asked = [ask(r.label, "plain Swin", 0.05) for r in (MDTA, CONV, *more)]
    asked += [ask("no conv", "plain Swin", -0.03, "behind")]
    for one in ("w_msa+mdta", "conv+w_msa"):
        asked += [ask(one, "no attention", 0.01, "tie", cause="channel attention")]
        asked += [ask(one, "no conv", 0.04, cause="depthwise convolution")]
    told = [Lead(1, 0.3, -0.1, 0.5, 0.01, False)]
    pixels = AgainstReference("logistic regression on pixels", 0.975, "seeds", 0.95, tuple(told))
    limits = ("400K parameters", "4M MACs")
    found = answer(board(rows, asked, references=(pixels,), limits=limits))
    assert len(textwrap.wrap(found, 80)) <= 6
    assert found == (
        "On test, #1 w_msa+mdta (5.0 points [3.0, 7.0]) and 4 more are ahead of #3 plain Swin; "
        "which of them is better is not shown; of the gain of #1 w_msa+mdta, its depthwise "
        "convolution is shown to help, its channel attention gets no credit; #5 is behind #3; no "
        "row is shown ahead of logistic regression on pixels (97.5%, no network) (5 seeds, 359 "
        "test images, at most 400K parameters and 4M MACs)."
    )


def test_a_long_label_is_its_number():
    long = row(1, "w_msa+mdta(depthwise=false):gate | conv+w_msa:split")
    found = answer(board([long, PLAIN], [ask(long.label, "plain Swin", 0.05)]))
    assert found.startswith("On test, #1 is 5.0 points")


def causes(no_attention, no_conv, *more):
    rows = [MDTA, PLAIN, NO_ATTENTION, NO_CONV]
    asked = [
        MDTA_AHEAD,
        ask("w_msa+mdta", "no attention", 0.01, no_attention, cause="channel attention"),
        ask("w_msa+mdta", "no conv", 0.04, no_conv, cause="depthwise convolution"),
    ]
    return answer(board(rows, [*asked, *more]))


def test_a_control_bears_out_one_part_and_refutes_another():
    found = causes("tie", "ahead")
    assert (
        "; of the gain of #1 w_msa+mdta, its depthwise convolution is shown to help, its channel "
        f"attention gets no credit{GIVEN}" in found
    )
    assert "was not tested" not in found


def test_a_part_gets_credit_only_by_a_test():
    assert "its channel attention and depthwise convolution get no credit" in causes("tie", "tie")
    assert "shown to help" not in causes("tie", "tie")
    assert "what its channel attention adds is not known" in causes("unknown", "ahead")
    both = causes("ahead", "ahead")
    assert "its channel attention and depthwise convolution are shown to help" in both
    assert "its channel attention is shown to hurt" in causes("behind", "ahead")


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("ahead", "size alone does not explain it"),
        ("tie", "size alone may explain it (it is not shown ahead of #4 equal cost)"),
        ("behind", "size alone may explain it (it is not shown ahead of #4 equal cost)"),
    ],
)
def test_a_control_of_equal_cost(verdict, words):
    rows = [MDTA, PLAIN, row(4, "equal cost", baseline=True)]
    size = ask("w_msa+mdta", "equal cost", 0.01, verdict, cause="size")
    assert answer(board(rows, [MDTA_AHEAD, size])).count(words) == 1


def test_a_control_that_is_kept_out_bears_out_nothing():
    rows = [MDTA, PLAIN, replace(NO_CONV, undertrained=True)]
    lacks = ask("w_msa+mdta", "no conv", 0.04, cause="depthwise convolution")
    found = answer(board(rows, [MDTA_AHEAD, lacks]))
    assert "shown to help" not in found and "was not tested by a control" in found


def test_nothing_differs():
    tie = ask("w_msa+mdta", "plain Swin", 0.01, "tie")
    assert answer(board([MDTA, PLAIN], [tie])) == (
        "Nothing is shown to differ from #3 plain Swin on test: 5 seeds and 359 test images would "
        f"have found a true difference of 6.0 points, four times in five{GIVEN}"
    )
    hopeless = replace(tie, detectable=1.0)
    assert "5 seeds and 359 test images could not have found any difference" in answer(
        board([MDTA, PLAIN], [hopeless])
    )
    untold = replace(tie, detectable=None, verdict="unknown")
    assert "no difference could be tested" in answer(board([MDTA, PLAIN], [untold]))


def test_rows_behind():
    rows = [MDTA, CONV, PLAIN]
    behind = ask("w_msa+mdta", "plain Swin", -0.05, "behind")
    found = answer(board(rows, [behind, ask("conv+w_msa", "plain Swin", 0, "tie")]))
    assert found.startswith(
        "On test, nothing is shown ahead of #3 plain Swin; #1 w_msa+mdta is 5.0 points [3.0, 7.0] "
        "behind it"
    )
    mixed = answer(board(rows, [behind, CONV_AHEAD]))
    assert "#2 conv+w_msa is 4.5 points [2.5, 6.5] ahead of #3 plain Swin" in mixed
    assert mixed.endswith(f"#1 is behind #3{GIVEN}")


def reference(*leads):
    told = [Lead(rank, d, d - 0.1, d + 0.1, 0.01, shown) for rank, d, shown in leads]
    return AgainstReference("logistic regression", 0.975, "seeds", 0.95, tuple(told))


@pytest.mark.parametrize(
    ("leads", "words"),
    [
        ([(1, -0.3, True), (3, -0.4, True)], "logistic regression (97.5%, no network) is ahead of"),
        ([(1, 0.3, False), (3, -0.4, True)], "no row is shown ahead of logistic regression (97.5%"),
        ([(1, 0.3, True), (3, -0.4, True)], ""),
    ],
)
def test_a_model_without_a_network(leads, words):
    found = answer(board([MDTA, PLAIN], [MDTA_AHEAD], references=(reference(*leads),)))
    assert words in found
    assert ("logistic" in found) == bool(words)
    assert found.startswith("On test, #1 w_msa+mdta is 5.0 points")


def test_without_several_seeds_nothing_is_concluded():
    assert answer(board([])) == "No run of study 's' has ended yet."
    single = row(1, "w_msa+mdta", seeds=1)
    assert answer(board([single])).startswith(
        "Nothing is concluded: each row was retrained with one seed, which gives no interval"
    )
    trial = row(1, "w_msa", kind="search", seeds=1)
    assert "nothing was retrained over several seeds" in answer(board([trial]))
    broken = [
        replace(row(None, "w_msa", kind="search", seeds=0), state=state)
        for state in ("stopped", "failed", "failed")
    ]
    assert answer(board(broken)) == (
        "Nothing is concluded: no run came to its end with a score (1 stopped, 2 failed)."
    )


def test_looking_early_concludes_nothing():
    found = answer(board([MDTA, PLAIN], [], waiting=True, pending=3))
    assert found.startswith("Nothing is concluded yet: 3 runs still to come")
    assert "ahead" not in found


def test_a_study_that_goes_on_is_not_told_to_ask_for_seeds():
    begun = replace(row(1, "w_msa+mdta", seeds=1), seeds_asked=5)
    found = answer(board([begun], waiting=True, pending=9))
    assert found.startswith("Nothing is concluded yet: 9 runs still to come")


def test_an_answer_over_seeds_speaks_of_these_images():
    lost = [replace(r, test_covers="seeds") for r in (MDTA, PLAIN)]
    assert answer(board(lost, [MDTA_AHEAD])).endswith("(5 seeds, these 359 test images only).")
    tie = ask("w_msa+mdta", "plain Swin", 0.01, "tie")
    assert "5 seeds on these 359 test images would have found" in answer(board(lost, [tie]))


def test_groups_of_images_and_epochs_are_said():
    photographs = {"test_images": 984, "test_groups": 255, "epochs_planned": 20}
    rows = [replace(r, **photographs) for r in (MDTA, PLAIN)]
    given = "(5 seeds, 255 groups of 984 test images, 20 epochs)."
    assert answer(board(rows, [MDTA_AHEAD])).endswith(given)
    longer = [replace(rows[0], recipe={"early_stopping": 5}, epochs_planned=40), rows[1]]
    assert "at most 20 to 40 epochs)." in answer(board(longer, [MDTA_AHEAD]))
    tie = ask("w_msa+mdta", "plain Swin", 0.01, "tie")
    assert "5 seeds and 255 groups of 984 test images would have" in answer(board(rows, [tie]))


def test_a_control_whose_interval_is_wide_tells_nothing():
    wide = ask("w_msa+mdta", "no attention", 0.01, "tie", cause="attention", half=0.6)
    found = answer(board([MDTA, PLAIN, NO_ATTENTION], [MDTA_AHEAD, wide]))
    assert "what its attention adds is not known" in found and "credit" not in found


def test_one_row_alone():
    found = answer(board([MDTA]))
    assert found.startswith("The only row that was retrained over several seeds is compared with")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"undertrained": True}, "still improving when training ended"),
        ({"seeds_asked": 6}, "short of a seed"),
    ],
)
def test_rows_that_may_not_be_judged_are_kept_out(change, why):
    base = board([MDTA, replace(PLAIN, **change)], [MDTA_AHEAD])
    assert f"nothing is concluded, since #3 plain Swin, the row to compare with, was {why}" in (
        answer(base).replace("Nothing", "nothing")
    )
    assert "every row beside #3 plain Swin was still improving" in answer(
        board([replace(MDTA, **change), PLAIN], [MDTA_AHEAD])
    )
    found = answer(board([replace(MDTA, **change), CONV, PLAIN], [MDTA_AHEAD, CONV_AHEAD]))
    assert found.startswith("On test, #2 conv+w_msa is 4.5 points") and "mdta" not in found


def test_a_metric_that_is_no_share():
    lower = ask("w_msa+mdta", "plain Swin", 0.125, half=0.05)
    found = answer(board([MDTA, PLAIN], [lower], monitor="val/loss", mode="min"))
    assert "#1 w_msa+mdta is 0.125 [0.075, 0.175] ahead of #3 plain Swin" in found
    tie = ask("w_msa+mdta", "plain Swin", 0.01, "tie", detectable=0.3)
    found = answer(board([MDTA, PLAIN], [tie], monitor="val/loss", mode="min"))
    assert (
        "would have found a true difference of 0.300, four times in five" in found
        and "points" not in found
    )


def test_several_objectives():
    rows = [
        replace(MDTA, validation_mean=0.95, parameters=200),
        replace(CONV, validation_mean=0.94, parameters=300),
        replace(PLAIN, validation_mean=0.90, parameters=100),
    ]
    found = answer(board(rows, [MDTA_AHEAD, CONV_AHEAD], against=("parameters",)))
    assert found.startswith(
        "On the front of accuracy on validation against parameters stand #1 w_msa+mdta and #3 "
        "plain Swin; on test, #1"
    )


def test_without_a_baseline_the_reference_row_takes_its_place():
    other = replace(row(3, "conv"), is_test_reference=True)
    found = answer(board([MDTA, other], [ask("w_msa+mdta", "conv", 0.05)]))
    assert "ahead of #3 conv" in found


def test_what_the_answer_is_conditional_on():
    rows = [MDTA, replace(PLAIN, seeds=3, seeds_asked=3, test_images=0)]
    found = answer(board(rows, [MDTA_AHEAD], limits=("400K parameters", "4M MACs"), level=0.0075))
    assert found.endswith(
        "(3 to 5 seeds, 359 test images, at most 400K parameters and 4M MACs, tests at 0.75%)."
    )
    matched = answer(board(rows, [MDTA_AHEAD], limits=("4M MACs",), matched=True))
    assert matched.endswith("359 test images, at 4M MACs).")
