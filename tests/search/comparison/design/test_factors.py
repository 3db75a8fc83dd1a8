import pytest

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from search.comparison.design.factors import combinations, make_point, name_of
from search.settings.comparison import ComparisonSettings


def test_every_combination_comes_once_in_order():
    assert list(combinations({})) == [{}]
    made = list(combinations({"fusion": ["sum", "gate"], "window_size": [2, 4]}))
    assert [tuple(levels.values()) for levels in made] == [
        ("sum", 2), ("sum", 4), ("gate", 2), ("gate", 4),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"fusion": []}, "must be a list of levels"),
        ({"fusion": "gate"}, "must be a list of levels"),
        ({"window_size": [2, 4, 2]}, "the level 2 twice"),
        ({"x": [{"label": "a", "p": 1}, {"label": "a", "p": 2}]}, "both shown as 'a'"),
        ({"x": [{"label": 1, "p": 1}, {"label": "1", "p": 2}]}, "both shown as '1'"),
        ({"recipe.epochs": [12, "12"]}, "levels 12 and '12' are both shown as '12'"),
        ({"recipe.test_image_size": [None, "None"]}, "both shown as 'None'"),
        ({"x": [{"recipe.a": 1}, {"data.a": 1}]}, "both shown as '{a=1}'"),
        ({"data.options.path": ["a\nb", "c"]}, "holds line breaks or control characters"),
        ({"x": [{"label": "", "p": 1}]}, "label of a level must be text; got ''"),
        ({"x": [{"label": [1], "p": 1}]}, r"label of a level must be text; got \[1\]"),
        ({"": [1, 2]}, "'' cannot be a factor's name"),
        ({"arm": [{"p": 1}, {"p": 2}]}, "'arm' cannot be a factor's name"),
        ({"recipe.epochs": [10, {"choose": [20, 30]}]}, "is a choice, and a comparison does not"),
        ({"x": [{"label": "a", "fusion": "sum"}]}, "fusion is a factor of its own"),
    ],
)
def test_levels_that_make_no_factor_are_refused(factors, message):
    with pytest.raises(InputError, match=message):
        list(combinations(factors))


def test_cells_that_would_have_one_name_are_refused():
    factors = {
        "x": [{"label": "a, y=1"}, {"label": "a"}],
        "y": [{"label": "1"}, {"label": "1, y=1"}],
    }
    with pytest.raises(InputError, match="two cells are both called 'x=a, y=1, y=1'"):
        list(combinations(factors))


def point(levels, **settings):
    return make_point(ComparisonSettings(**settings), levels)


def test_levels_change_what_they_name():
    made = point(
        {
            "base": ["w_msa", "sw_msa"],
            "stages": [1],
            "fusion": "gate",
            "recipe.epochs": 3,
            "data.split_seed": 7,
        }
    )
    assert (made.base, made.stages, made.fusion) == (("w_msa", "sw_msa"), [1], "gate")
    assert made.changes == {"recipe.epochs": 3}
    assert made.cell.data == DataSettings(split_seed=7)


def test_a_level_may_set_several_values_at_once():
    made = point({"size": {"image_size": 16, "data.options.path": "x"}}, data=DataSettings("npz"))
    assert made.changes == {"image_size": 16}
    assert made.cell.data.options == {"path": "x"}
    assert made.cell.name == "size={image_size=16, path=x}"


def test_names_are_short():
    assert name_of({"data.options.arm": 4}) == "data.options.arm=4"  # arms are the factor arm
    assert name_of({"data.options.reach": 4, "base": ["w_msa", "sw_msa"], "x": True}) == (
        "reach=4, base=[w_msa sw_msa], x=true"
    )


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ({"data.nothing": 1}, "nothing"),
        ({"data.option.reach": 1}, "did you mean options"),
        ({"base": "w_msa"}, "list of block words"),
        ({"base": {"label": "a"}}, "list of block words"),
        ({"fusion": 3}, "fusion's name"),
        ({"data.split_seed": -1}, "split_seed"),
    ],
)
def test_levels_of_the_wrong_kind_are_refused(levels, message):
    with pytest.raises(InputError, match=message):
        point(levels)


def test_a_level_of_several_paths_may_have_a_label(fake):
    fine = {"label": "fine", "patch_size": 1, "mlp_ratio": 1.0}
    settings = fake.settings(factors={"patches": [{"patch_size": 2}, fine]})
    coarse, point = (make_point(settings, levels) for levels in combinations(settings.factors))
    assert (coarse.cell.name, point.cell.name) == ("patches={patch_size=2}", "patches=fine")
    assert point.changes == {"patch_size": 1, "mlp_ratio": 1.0}
    with pytest.raises(InputError, match="holds line breaks"):
        list(combinations({"patches": [{"label": "a\nb"}]}))
