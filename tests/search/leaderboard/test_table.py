import io
import re
from xml.etree import ElementTree

import pytest

from hybrid_swin.system.console import Console
from search.leaderboard.board import Leaderboard
from search.leaderboard.table import print_leaderboard, save_svg


def printed(study, width=100, encoding="utf-8"):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    board = Leaderboard.from_folder(study.folder)
    print_leaderboard(board, Console(file=file, width=width, legacy_windows=False))
    file.flush()
    return raw.getvalue().decode(encoding)


def test_the_final_table_says_what_the_rows_say(whole_study):
    study = whole_study()
    text = printed(study)
    lines = text[: text.index("single runs")].splitlines()
    best = Leaderboard.from_folder(study.folder).rows[0]
    line = next(line for line in lines if re.match(r"\s*1 ", line)).split()
    assert line[1] == "w_msa+mdta"
    assert line[2] == f"{100 * best.validation_mean:.1f}"
    ends = f"[{100 * best.validation_low:.1f}, {100 * best.validation_high:.1f}]"
    assert " ".join(line[3:5]) == ends
    assert line[5] == f"{100 * best.test_mean:.1f}"
    assert line[8:11] == ["5", "23.4K", "1.2M"]
    marks = [line.split()[-1] for line in lines if re.match(r"\s*[24] ", line)]
    assert marks == ["?", "B"]
    assert "? may be the best on test (this set contains it with 95%);  R the" in "\n".join(lines)
    assert "intervals: 95%; of #1 98.75%, since it was chosen among the rows" in "\n".join(lines)
    assert "still improving" not in "\n".join(lines)


def test_the_search_table_leads_to_the_retrained_rows(whole_study):
    text = printed(whole_study())
    assert re.search(r"5 +w_msa\+mdta +97\.0 .* trials/0000 +now # 1", text)
    assert re.search(r"logistic regression on pixels +95\.1 +650 +reference +test 94\.7", text)
    assert "10 single runs finished, 2 stopped, 1 failed" in text


@pytest.mark.parametrize("width", [80, 100, 160])
def test_it_fits(whole_study, width):
    study = whole_study()
    study.finalist("long", [0.93, 0.94], label="w_msa+mdta(depthwise=false):gate | " * 6)
    text = printed(study, width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text  # nothing is cut


def several_objectives(make_study, *against):
    """The second of three rows is beaten by the first in all; the third is cheap."""
    study = make_study(objective={"monitor": "val/accuracy", "mode": "max", "against": against})
    for name, score, size in (("good", 0.9, 20), ("beaten", 0.8, 30), ("cheap", 0.7, 10)):
        latency = {"median_ms": 1.25 * size, "device": "cpu"}
        cost = {"parameters": size, "macs": 101 * size, "activations": 11 * size}
        costs = {"cost": cost, "latency": latency, "peak_memory_mb": 7.0 * size}
        study.finalist(name, [score, score], label="conv(kernel=5)+w_msa " * 3, **costs)
    return study


@pytest.mark.parametrize("width", [80, 160])
def test_costs_searched_against_are_shown_and_the_front_is_marked(make_study, width):
    lines = printed(several_objectives(make_study, "macs", "latency"), width).splitlines()
    good, beaten, cheap = (next(x for x in lines if x.startswith(f" {n} ")) for n in (1, 2, 3))
    assert ["*" in line.split()[-1] for line in (good, beaten, cheap)] == [True, False, True]
    assert "2.0K" in good and "25" in good.split()
    assert "1.0K" in cheap and "12.5" in cheap.split()
    text = " ".join(" ".join(lines).split())
    assert "* on the Pareto front of validation against macs and latency" in text
    assert ("params" in text.split("not shown below")[0]) == (width > 80)
    told = "that is by the first objective only: on the Pareto front against macs and latency are"
    assert f"{told} #1, #3." in text


@pytest.mark.parametrize("width", [80, 100])
def test_all_costs_at_once_fit(make_study, width):
    costs = "parameters", "macs", "activations", "latency", "memory"
    study = several_objectives(make_study, *costs)
    study.trial(0, 0.5, "conv(kernel=5)+w_msa")
    text = printed(study, width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert all(word in text for word in ("params", "MACs", "activ-", "latency", "memory"))
    assert "…" not in text


def test_one_objective_has_no_front(whole_study):
    text = printed(whole_study())
    assert "Pareto" not in text and "objective" not in text


def test_it_ends_with_a_command_to_look_closer(make_study, tmp_path):
    study = make_study("my_study")
    study.folder = study.folder.rename(tmp_path / "my study")  # as a user may
    study.finalist("worse", [0.8, 0.8])
    study.finalist("best", [0.9, 0.9])
    assert "inspect" not in printed(study)  # no weights
    for key in ("worse/0", "best/1"):
        weights = study.folder / "finalists" / key / "attempt-1" / "final.ckpt"
        weights.parent.mkdir(parents=True)
        weights.touch()
    last = printed(study, 40).splitlines()[-1]
    command = f"python search.py inspect '{study.folder}/finalists/best/1'"
    assert last == f"a closer look at the best: {command}"
    board = Leaderboard.from_folder(study.folder)
    save_svg(board, tmp_path / "board.svg")
    assert str(tmp_path) not in (tmp_path / "board.svg").read_text() + str(board.to_dict())


def test_names_of_branches_stay_whole(make_study):
    study = make_study()
    study.trial(0, 0.9, "conv(kernel=5)+w_msa(window=4)+mdta:gate")
    lines = [line.strip() for line in printed(study, 80).splitlines()]
    place = next(place for place, line in enumerate(lines) if "conv(" in line)
    assert "conv(kernel=5)+ " in lines[place]
    assert lines[place + 1].startswith("w_msa(window=4)+")


def test_brackets_in_labels_are_no_markup(make_study):
    study = make_study()
    study.finalist("a", [0.9, 0.9], label="[red]w_msa[/red][/]")
    study.trial(0, 0.9, "x\x1b[31my")
    text = printed(study)
    assert text.count("[red]w_msa[/red][/]") == 2  # in the table and in the sentence
    assert "x?[31my" in text
    assert "\x1b" not in text


def symmetric(study):
    """A metric without bounds, whose intervals have equal sides."""
    study.finalist("a", [1.0, 1.2, 1.1], skill=None)
    study.finalist("b", [1.3, 1.4, 1.5], skill=None)
    return study


def test_equal_sides_are_one_number(make_study):
    study = symmetric(make_study(monitor="val/my_score"))
    assert re.search(r" 1\.100 ±0\.248 ", printed(study))
    assert re.search(r"\|1\.100 \+-0\.248 ", printed(study, encoding="ascii"))


def test_the_random_row_is_marked_for_what_its_interval_covers(whole_study):
    study = whole_study()
    assert "over candidates" not in printed(study)
    for number, score in enumerate((0.7, 0.95)):
        key = f"random/final-{number:02d}"
        study.run(key, "random", score, "w_msa", stage="final", origin=key)
    text = printed(study)
    line = next(line for line in text.splitlines() if "mean of 2 random" in line)
    assert line.split()[-1] == "c"
    low, high = re.search(r"\[(.*), (.*)\]", line).groups()
    assert 0 <= float(low) < 82.5 < float(high) <= 100
    assert "c interval over candidates of one seed each" in " ".join(text.split())


def test_an_empty_study_prints_a_sentence(make_study):
    assert "No run of study 'digits' has ended yet." in printed(make_study())


def test_the_picture_is_svg_and_always_the_same(whole_study, tmp_path):
    board = Leaderboard.from_folder(whole_study().folder)
    for name in ("a.svg", "b.svg"):
        save_svg(board, tmp_path / name)
    root = ElementTree.fromstring((tmp_path / "a.svg").read_text())  # noqa: S314 - our own file
    assert root.tag.endswith("svg")
    words = "".join(root.itertext()).replace("\xa0", " ")
    assert "w_msa+mdta" in words
    assert "font-weight: bold" in (tmp_path / "a.svg").read_text()
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
