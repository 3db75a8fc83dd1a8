import json
from pathlib import Path

import pytest

from hybrid_swin.cost import count_cost
from hybrid_swin.cost.width_solver import match_cost
from hybrid_swin.errors import InputError
from hybrid_swin.spec.published import names, published
from search.cli.cost.rows import Question, counted, find_variant, matched, named_variants, target_of


def test_variants_are_names_files_and_words(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(published("swin_s").to_yaml())
    assert find_variant("swin_b") == published("swin_b")
    assert find_variant(str(mine)) == published("swin_s")
    word = find_variant("w_msa+mdta:gate")
    assert {stage.blocks for stage in word.stages} == {("w_msa+mdta:gate",)}
    assert [s.width for s in word.stages] == [s.width for s in published("swin_t").stages]


@pytest.mark.parametrize(
    ("text", "size"), [("96", (96, 96)), ("96x64", (96, 64)), (None, (224, 224))]
)
def test_an_image_size_takes_the_place_of_their_own(text, size):
    assert find_variant("swin_t", text).image_size == size


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("swin_tt", "unknown variant or branch 'swin_tt'; did you mean 'swin_t'"),
        ("w_mas", "unknown variant or branch 'w_mas'; did you mean 'w_msa'"),
        ("hybrid_mtda_t", "did you mean 'hybrid_mdta_t'"),
        ("w_msa+mtda", "unknown branch 'mtda'; did you mean 'mdta'"),
        ("w_msa+mdta:gat", "unknown fusion 'gat'"),
        ("none.yaml", "variant file 'none.yaml' cannot be read"),
        ("conv(kernel=4)", "option kernel=4 is not possible"),
    ],
)
def test_what_has_no_cost_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        find_variant(name)


@pytest.mark.parametrize("size", ["", "0", "abc", "64x", "64x64x64", "-8", "1e3"])
def test_what_is_no_image_size_is_refused(size):
    with pytest.raises(InputError, match="image"):
        find_variant("swin_t", size)


def test_without_names_all_are_meant_and_swin_t_comes_first():
    found = [name for name, _ in named_variants(Question())]
    assert found[0] == "swin_t"
    assert sorted(found) == names()


def test_parts_of_the_users_own_are_known(write_plugin):
    question = Question(("average",), plugin=(str(write_plugin("average")),))
    assert named_variants(question)[0][1].stages[0].blocks == ("average",)


def test_rows_are_compared_with_the_first():
    rows = counted(named_variants(Question(("swin_t", "swin_s"))))
    assert [row.cost for row in rows] == [count_cost(published(row.name)) for row in rows]
    assert rows[0].relative == {}
    assert rows[1].relative["macs"] == pytest.approx(8.741 / 4.491 - 1, rel=1e-3)


def test_rows_are_matched_with_a_variant_that_comes_first():
    question = Question(("w_msa+mdta", "swin_t"), match="swin_t", by="parameters")
    reference, row = matched(named_variants(question), question)
    assert (reference.name, reference.adjuster, reference.relative) == ("swin_t", "", {})
    found = match_cost(find_variant("w_msa+mdta"), published("swin_t"), "parameters")
    assert (row.variant, row.cost, row.adjuster) == (found.variant, found.cost, found.adjuster)
    assert row.relative == found.residuals
    assert abs(row.relative["parameters"]) <= 0.01


def test_rows_are_matched_with_an_amount():
    question = Question(("swin_t", "conv"), match="2.5G", tolerance=0.002)
    for row in matched(named_variants(question), question):
        assert row.cost.macs == pytest.approx(2.5e9, rel=0.002)
        assert set(row.relative) == {"macs"}


def test_what_is_no_amount_is_refused():
    question = Question(("swin_t",), match="2 apples")
    with pytest.raises(InputError, match="--match must be an amount such as"):
        matched(named_variants(question), question)


def test_latency_is_matched_less_nearly():
    assert (Question().nearness, Question(by="latency").nearness) == (0.01, 0.05)
    assert Question(by="latency", tolerance=0.2).nearness == 0.2


def test_a_run_of_a_study_is_a_variant(finished):
    runs = [str(path) for path in sorted(finished.folder.glob("finalists/*/0"))]
    rows = counted(named_variants(Question((*runs, f"{runs[0]}/run.json"), match=runs[0])))
    assert [row.name for row in rows] == [*runs, f"{runs[0]}/run.json"]
    costs = [json.loads((Path(run) / "run.json").read_text())["cost"] for run in runs]
    assert [row.cost.to_dict() for row in rows] == [*costs, costs[0]]
    assert target_of(Question(match=runs[0])) == rows[0].variant
