import csv
import json
from dataclasses import replace

import pytest

from hybrid_swin.cost import count_cost
from hybrid_swin.errors import InputError
from hybrid_swin.spec.published import names, published
from hybrid_swin.spec.variant import Variant
from search.cli.cost import measured as cost_measuring
from search.cli.cost.command import print_costs
from search.cli.cost.rows import Question

TINY = """
image_size: 8
in_channels: 1
num_classes: 3
patch_size: 2
window_size: 2
stages:
- {width: 8, depth: 1, num_heads: 1, blocks: [%s]}
"""


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "dumb")


@pytest.fixture
def tiny(tmp_path):
    """Two files with small networks."""
    files = []
    for word in ("w_msa", "conv"):
        files.append(tmp_path / f"tiny_{word}.yaml")
        files[-1].write_text(TINY % word)
    return [str(file) for file in files]


def test_costs_stand_side_by_side(capsys):
    assert print_costs(Question(("swin_t", "swin_s", "w_msa+mdta:gate"))) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[1].split() == [
        "swin_t", "28,288,354", "4,490,566,656", "17,055,352", published("swin_t").id
    ]  # fmt: skip
    assert lines[2].split()[:5] == ["swin_s", "49,606,258", "+75.4%", "8,740,875,264", "+94.6%"]
    assert "w_msa+mdta:gate" in lines[3]
    assert "one 224x224 image" in out
    assert "\nw_msa+mdta:gate: as all blocks of a Swin-T (swin_t, 1,000 classes)." in out
    assert "Percent: above swin_t." in out


def test_all_published_variants_fit_a_hundred_columns(capsys):
    print_costs(Question())
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 100 for line in lines)
    assert lines[1].startswith("swin_t ")
    for name in names():
        (line,) = (line for line in lines if line.startswith(f"{name} "))
        cost = count_cost(published(name))
        assert f" {cost.parameters:,} " in line
        assert f" {cost.macs:,} " in line


def test_ids_give_way_before_names_do(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    print_costs(Question(variants=("swin_t", "hybrid_focal_t")))
    shown = capsys.readouterr().out
    assert "\nhybrid_focal_t " in shown
    assert "28,288,354" in shown
    assert published("swin_t").id not in shown


def test_words_break_between_branches(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    words = "conv(kernel=5)+mdta(depthwise=true):gate"
    print_costs(Question(variants=(words, "swin_t")))
    lines = capsys.readouterr().out.splitlines()
    place = next(place for place, line in enumerate(lines) if line.startswith("conv("))
    assert lines[place].startswith("conv(kernel=5)+ ")


def test_a_word_is_no_markup(capsys, write_plugin):
    print_costs(Question(("conv+w_msa:split(ratio=1-3)",)))
    assert "conv+w_msa:split(ratio=1-3)" in capsys.readouterr().out


def test_matches_say_what_moved(capsys):
    print_costs(Question(("w_msa+mdta",), match="swin_t"))
    out = capsys.readouterr().out
    assert "Percent: above swin_t. Matched by macs, within 1.00%:" in out
    assert "w_msa+mdta: widths 96-192-384-768 to " in out


def test_csv_and_json_hold_the_same_figures(capsys):
    question = Question(("swin_t", "conv"), match="3G")
    print_costs(replace(question, format="csv"))
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    print_costs(replace(question, format="json"))
    told = json.loads(capsys.readouterr().out)["rows"]
    assert [r["name"] for r in rows] == [r["name"] for r in told] == ["swin_t", "conv"]
    for row, other in zip(rows, told, strict=True):
        variant = Variant.from_dict(other["variant"])
        assert (row["id"], row["adjuster"]) == (variant.id, other["adjuster"])
        assert int(row["macs"]) == other["macs"] == count_cost(variant).macs
        assert float(row["macs_relative"]) == other["macs_relative"]


def test_variants_are_saved_and_nothing_is_overwritten(tmp_path, capsys):
    folder, word = tmp_path / "new" / "matched", "w_msa+mdta:gate(per=pixel)"
    question = Question((word,), match="swin_t")
    print_costs(replace(question, save=str(folder)))
    assert sorted(f.name for f in folder.iterdir()) == [
        "swin_t.yaml", "w_msa+mdta-gate-per-pixel.yaml"
    ]  # fmt: skip
    saved = folder / "w_msa+mdta-gate-per-pixel.yaml"
    assert saved.read_text().startswith(f"# {word}, matched by macs to swin_t\n")
    assert abs(count_cost(Variant.from_yaml(saved)).macs / 4_490_566_656 - 1) <= 0.01
    print_costs(replace(question, save=str(folder)))
    saved.write_text("mine")
    with pytest.raises(InputError, match="is there already; name another folder"):
        print_costs(replace(question, save=str(folder)))
    assert saved.read_text() == "mine"


def test_runs_of_a_study_are_saved_under_their_places(make_study, tmp_path):
    study = make_study()
    study.finalist("one", [0.9], skill=None)
    study.finalist("two", [0.8], skill=None)
    names = tuple(str(study.folder / f"finalists/{name}/0") for name in ("one", "two"))
    print_costs(Question(names, save=str(tmp_path / "saved")))
    one, two = sorted(file.name for file in (tmp_path / "saved").iterdir())
    assert (one[-20:], two[-20:]) == ("finalists-one-0.yaml", "finalists-two-0.yaml")


def test_two_variants_of_one_name_are_not_saved(tmp_path, tiny):
    other = tmp_path / "other" / "tiny_conv.yaml"
    other.parent.mkdir()
    other.write_text(TINY % "mdta")
    with pytest.raises(InputError, match="two variants would be written to"):
        print_costs(Question((tiny[1], str(other)), save=str(tmp_path / "saved")))
    assert not (tmp_path / "saved").exists()


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        print_costs(Question(("swin_t",), save=str(tmp_path / "file" / "folder")))


def test_time_and_memory_are_shown_with_what_measured_them(tiny, monkeypatch, capsys):
    monkeypatch.setattr(cost_measuring, "peak_memory", lambda *_: 12.34)
    question = Question(tuple(tiny), measure=True, device="cpu", batch=2, rounds=2)
    print_costs(question)
    out = capsys.readouterr().out
    assert "1 thread, batch 2, float32; 2 rounds, variants in turn." in out
    assert all(len(line) <= 100 for line in out.splitlines() if "/" not in line)
    assert "forward ms" in out and "training MB" in out
    assert out.count(" 12.3") == 4
    assert out.count("1.000 (0)") == 2
    print_costs(replace(question, format="csv"))
    first, second = csv.DictReader(capsys.readouterr().out.splitlines())
    for row in (first, second):
        assert float(row["forward_median_ms"]) > 0 < float(row["training_median_ms"])
        assert float(row["forward_iqr_ms"]) >= 0
        assert (row["training_rounds"], row["forward_mb"]) == ("2", "12.34")
        assert row["measured_with"].endswith("batch 2, float32")
    assert float(first["training_ratio"]) == 1


def test_latency_needs_something_to_match():
    with pytest.raises(InputError, match="give --match as well"):
        print_costs(Question(("swin_t",), by="latency"))


def test_a_mistake_is_told_before_anything_is_measured(tiny, monkeypatch):
    monkeypatch.setattr(cost_measuring, "peak_memory", lambda *_: pytest.fail("measured"))
    for question in (
        Question((*tiny, "swin_tt"), measure=True),
        Question(tuple(tiny), measure=True, batch=0),
        Question(tuple(tiny), measure=True, rounds=0),
        Question(tuple(tiny), measure=True, match="1"),
    ):
        with pytest.raises(InputError):
            print_costs(question)
