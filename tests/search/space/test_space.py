import copy

import optuna
import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.variant import Variant
from search.space.space import Space

VARIANT = {
    "image_size": 16,
    "in_channels": 1,
    "num_classes": 4,
    "patch_size": 2,
    "window_size": 4,
    "mlp_ratio": {"choose": [4.0, 2.0]},
    "stages": [
        {
            "width": {"choose": [32, 24, 48]},
            "depth": 2,
            "num_heads": {"times": ["stages.0.width", 0.125]},
            "blocks": {"choose": [["w_msa", "sw_msa"], ["w_msa+mdta"]]},
        },
        {
            "width": {"times": ["stages.0.width", 2]},
            "depth": {"from": 1, "to": 3, "step": 1},
            "num_heads": {"same_as": "stages.0.num_heads"},
            "blocks": ["conv"],
        },
    ],
}
RECIPE = {"epochs": 3, "learning_rate": {"from": 1e-4, "to": 1e-2, "log": True}}


def space(changes=(), recipe=RECIPE, variant=VARIANT):
    variant, recipe = copy.deepcopy(variant), copy.deepcopy(recipe)
    for path, value in dict(changes).items():
        *parents, last = path
        node = variant
        for key in parents:
            node = node[key]
        node[last] = value
    return Space(variant, recipe)


def test_every_choice_is_a_parameter_named_by_its_path():
    assert [p.path for p in space().parameters] == [
        "mlp_ratio",
        "stages.0.width",
        "stages.0.blocks",
        "stages.1.depth",
        "recipe.learning_rate",
    ]


def test_the_default_is_the_first_of_every_choice():
    assert space().default() == {
        "mlp_ratio": 4.0,
        "stages.0.width": 32,
        "stages.0.blocks": "w_msa sw_msa",
        "stages.1.depth": 1,
        "recipe.learning_rate": 1e-4,
    }


def test_parameters_become_a_variant_and_a_recipe():
    variant, recipe = space().resolve(
        {
            "mlp_ratio": 2.0,
            "stages.0.width": 24,
            "stages.0.blocks": "w_msa+mdta",
            "stages.1.depth": 3,
            "recipe.learning_rate": 0.005,
        }
    )
    assert variant == Variant(
        16,
        1,
        4,
        2,
        4,
        2.0,
        [
            {"width": 24, "depth": 2, "num_heads": 3, "blocks": ["w_msa+mdta"]},
            {"width": 48, "depth": 3, "num_heads": 3, "blocks": ["conv"]},
        ],
    )
    assert recipe == Recipe(epochs=3, learning_rate=0.005)


def test_where_to_normalise_may_be_chosen():
    choice = {"choose": ["pre", "post"]}
    changes = {("merging_norm",): choice, ("stages", 0, "norm"): choice}
    found = space(changes, {"zero_init_residual": {"choose": [True, False]}})
    params = found.default() | {"merging_norm": "post", "recipe.zero_init_residual": False}
    variant, recipe = found.resolve(params | {"stages.0.norm": "post"})
    assert (variant.merging_norm, variant.stages[0].norm) == ("post", "post")
    assert recipe.zero_init_residual is False
    assert found.resolve(found.default())[0].merging_norm == "pre"


def test_stem_merging_and_layer_scale_may_be_chosen():
    choices = {
        ("stem",): {"choose": ["patch", "conv"]},
        ("merging",): {"choose": ["linear", "conv", "pool"]},
        ("layer_scale",): {"from": 1e-6, "to": 0.1, "log": True},
    }
    found = space(choices)
    params = found.default() | {"stem": "conv", "merging": "pool", "layer_scale": 1e-3}
    variant, _ = found.resolve(params)
    assert (variant.stem, variant.merging, variant.layer_scale) == ("conv", "pool", 1e-3)


def test_its_size_is_the_number_of_combinations():
    assert space().size is None  # a range without steps is not counted
    assert space(recipe={}).size == 2 * 3 * 2 * 3
    assert space(recipe={"shift": {"from": 0, "to": 4, "step": 2}}).size == 2 * 3 * 2 * 3 * 3
    fixed = Space(space().resolve(space().default())[0].to_dict(), {})
    assert (fixed.size, fixed.default()) == (1, {})


def test_optuna_draws_from_it():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found = space()
    seen = set()
    for _ in range(40):
        trial = study.ask()
        params = found.suggest(trial)
        assert params == trial.params
        variant, recipe = found.resolve(params)
        assert 1e-4 <= recipe.learning_rate <= 1e-2
        seen.add((variant.stages[0].width, variant.stages[1].depth, variant.stages[0].blocks))
        study.tell(trial, 0.0)
    assert len(seen) > 12


def test_windows_of_two_sides_are_drawn():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    stage = {"choose": [[2, 4], 8]}
    windows, last = {"choose": [4, [4, 8], [8, 4]]}, ("stages", 1, "window_size")
    with pytest.raises(InputError, match="are the same candidate"):  # of convolutions
        space({("window_size",): windows, last: stage})
    found = space({("window_size",): windows, last: stage, ("stages", 1, "blocks"): ["w_msa"]})
    seen = set()
    for _ in range(40):
        trial = study.ask()
        variant, _ = found.resolve(found.suggest(trial))
        assert Variant.from_dict(variant.to_dict()).id == variant.id
        seen.add(variant.window_sizes)
        study.tell(trial, 0.0)
    assert seen == {(first, last) for first in (4, (4, 8), (8, 4)) for last in ((2, 4), 8)}
    assert found.default()["stages.1.window_size"] == "[2, 4]"
    by_side = space({("window_size",): [{"choose": [2, 4]}, 4]})
    drawn = [
        by_side.resolve({**by_side.default(), "window_size.0": side})[0].window_size
        for side in (2, 4)
    ]
    assert drawn == [(2, 4), 4]
    tied = space({("window_size",): [2, 4], last: {"same_as": "window_size"}})
    assert tied.resolve(tied.default())[0].window_sizes == ((2, 4), (2, 4))


def test_nothing_is_shared_between_candidates():
    found = space()
    before = copy.deepcopy(found.leaves)
    found.resolve(found.default(), {"stages.0.blocks": ["conv"], "recipe": {}, "stages.0.depth": 1})
    assert found.leaves == before


# Ties


def test_a_tie_follows_through_others_and_through_changes():
    found = space()
    variant, _ = found.resolve(found.default(), {"stages.0.width": 48})
    assert [(s.width, s.num_heads) for s in variant.stages] == [(48, 6), (96, 6)]


def test_blocks_can_be_tied_whether_they_are_chosen_or_not():
    tie = {("stages", 1, "blocks"): {"same_as": "stages.0.blocks"}, ("stages", 1, "depth"): 2}
    chosen = space(tie)
    params = chosen.default() | {"stages.0.blocks": "w_msa+mdta"}
    assert chosen.resolve(params)[0].stages[1].blocks == ("w_msa+mdta",)
    fixed = space({**tie, ("stages", 0, "blocks"): ["conv", "mdta"]})
    assert fixed.resolve(fixed.default())[0].stages[1].blocks == ("conv", "mdta")
    changed = fixed.resolve(fixed.default(), {"stages.0.blocks": ["w_msa"]})[0]
    assert changed.stages[1].blocks == ("w_msa",)


def stages_of(*blocks):
    """Two stages or more of these blocks, in place of the two above."""
    kept = {"width": 32, "depth": 2, "num_heads": 4}
    return space({("stages",): [{**kept, "blocks": words} for words in blocks]}, recipe={})


WORD = {
    "word": "{mixer}:{fusion}",
    "mixer": {"choose": ["w_msa", "w_msa+mdta"]},
    "fusion": {"choose": ["sum", "gate"]},
}


def test_one_choice_serves_all_stages():
    found = stages_of({"choose": [["w_msa"], ["mdta"]]}, *[{"same_as": "stages.0.blocks"}] * 2)
    assert [p.path for p in found.parameters] == ["mlp_ratio", "stages.0.blocks"]
    variant, _ = found.resolve(found.default() | {"stages.0.blocks": "mdta"})
    assert [s.blocks for s in variant.stages] == [("mdta",)] * 3


def test_every_block_has_a_choice_and_a_stage_follows_them_all():
    blocks = [{"choose": ["w_msa", "mdta"]}, {"choose": ["conv", "w_msa"]}]
    found = stages_of(blocks, {"same_as": "stages.0.blocks"}, [{"same_as": "stages.0.blocks.1"}])
    assert [p.path for p in found.parameters[1:]] == ["stages.0.blocks.0", "stages.0.blocks.1"]
    variant, _ = found.resolve(found.default() | {"stages.0.blocks.0": "mdta"})
    assert [s.blocks for s in variant.stages] == [("mdta", "conv")] * 2 + [("conv",)]


def test_a_whole_stage_follows_another():
    stage = {"width": 32, "depth": 2, "num_heads": 4, "blocks": [WORD, "conv"]}
    found = space({("stages",): [stage, {"same_as": "stages.0"}]})
    variant, _ = found.resolve(found.default() | {"stages.0.blocks.0.mixer": "w_msa+mdta"})
    assert variant.stages[0] == variant.stages[1]
    assert variant.stages[1].blocks == ("w_msa+mdta:sum", "conv")


# Words with gaps


def test_gaps_are_parameters_named_by_their_paths():
    found = stages_of([WORD, {"word": "conv(kernel={k})", "k": {"from": 3, "to": 7, "step": 2}}])
    assert [(p.path, p.size) for p in found.parameters[1:]] == [
        ("stages.0.blocks.0.mixer", 2),
        ("stages.0.blocks.0.fusion", 2),
        ("stages.0.blocks.1.k", 3),
    ]
    params = found.default() | {
        "stages.0.blocks.0.mixer": "w_msa+mdta",
        "stages.0.blocks.0.fusion": "gate",
        "stages.0.blocks.1.k": 5,
    }
    assert found.resolve(params)[0].stages[0].blocks == ("w_msa+mdta:gate", "conv(kernel=5)")


def test_an_idle_fusion_makes_no_other_candidate():
    found = stages_of(WORD, {"same_as": "stages.0.blocks"})
    idle = [found.default() | {"stages.0.blocks.fusion": fusion} for fusion in ("sum", "gate")]
    assert len({found.identify(params) for params in idle}) == 1
    assert found.resolve(idle[1])[0].stages[1].blocks == ("w_msa",)
    used = [params | {"stages.0.blocks.mixer": "w_msa+mdta"} for params in idle]
    assert len({found.identify(params) for params in used}) == 2


def test_gaps_are_tied_and_changed_by_path():
    tied = {
        "word": "conv(kernel={k})+w_msa:{f}",
        "k": {"same_as": "stages.0.blocks.k"},
        "f": "gate",
    }
    found = stages_of({"word": "conv(kernel={k})", "k": {"choose": [3, 5]}}, [tied])
    variant, _ = found.resolve(found.default(), {"stages.0.blocks.k": 7})
    assert variant.blocks_name == "conv(kernel=7) | conv(kernel=7)+w_msa:gate"
    variant, _ = found.resolve(found.default(), {"stages.1.blocks.0": "mdta"})
    assert variant.blocks_name == "conv(kernel=3) | mdta"
    with pytest.raises(InputError, match=r"unknown path .*\.0\.j.; did you mean .*\.0\.k"):
        found.resolve(found.default(), {"stages.1.blocks.0.j": 7})


def test_a_word_is_one_of_several_values():
    found = stages_of({"choose": [["conv"], [{"word": "conv(kernel={k})", "k": 5}]]})
    label = found.parameters[1].labels[1]
    params = found.default() | {"stages.0.blocks": label}
    assert found.resolve(params)[0].stages[0].blocks == ("conv(kernel=5)",)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (
            [{"word": "conv(kernl={k})", "k": {"choose": [3, 5]}}],
            r"^stages\.0\.blocks\.0: 'conv\(kernl={k}\)' never makes a block word: .*'kernel'",
        ),
        (
            [{"word": "conv(kernel={k})", "k": {"choose": [4, 5]}}],
            r"^stages\.0\.blocks\.0\.k: 4 makes no network with any other values: .* 3, 5, 7",
        ),
        (
            [{"word": "{a}+{b}", "a": {"choose": ["conv", {"choose": ["mdta"]}]}, "b": "w_msa"}],
            r"^stages\.0\.blocks\.0\.a: .* is a choice within a choice",
        ),
        ({"choose": [[WORD], ["conv"]]}, r"^stages\.0\.blocks: .* is a choice within a choice"),
        ({"same_as": "stages"}, r"^stages\.0\.blocks is tied to itself: .*stages -> "),
    ],
)
def test_a_word_that_cannot_be_is_refused(blocks, message):
    with pytest.raises(InputError, match=message):
        stages_of(blocks)


def test_first_values_that_make_a_network_only_apart_are_told_so():
    with pytest.raises(InputError, match=r"not divisible by .*; put values first that make a net"):
        space(
            {
                ("stages", 0, "num_heads"): {"choose": [5, 4]},
                ("stages", 0, "width"): {"choose": [32, 40]},
                ("stages", 1, "num_heads"): 2,
            }
        )


def test_values_that_are_always_the_same_candidate_are_refused():
    for one, other in (("w_msa+mdta", "mdta+w_msa"), ("conv", "conv(kernel=3)")):
        with pytest.raises(InputError, match=r"^stages\.0\.blocks: .* are the same candidate"):
            stages_of({"choose": [["identity"], [one], [other]]})


def test_a_recipe_can_be_tied_to_a_small_part_of_itself():
    tied = {
        "learning_rate": {"choose": [1e-3, 1e-4]},
        "min_learning_rate": {"times": ["recipe.learning_rate", 1e-6]},
    }
    found = space(recipe=tied)
    _, recipe = found.resolve(found.default() | {"recipe.learning_rate": 1e-4})
    assert recipe.min_learning_rate == pytest.approx(1e-10, rel=1e-9)


def test_a_product_that_is_whole_but_for_rounding_is_whole():
    variant, _ = space(
        {
            ("stages", 0, "width"): {"choose": [30, 60]},
            ("stages", 0, "num_heads"): {"times": ["stages.0.width", 0.1]},
        }
    ).resolve({**space().default(), "stages.0.width": 30})
    assert variant.stages[0].num_heads == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {("stages", 1, "depth"): {"same_as": "stages.0.dept"}},
            r"stages\.1\.depth: unknown value 'stages\.0\.dept'; did you mean 'stages\.0\.depth'",
        ),
        ({("stages", 1, "depth"): {"same_as": 3}}, r"stages\.1\.depth: unknown value '3'"),
        (
            {("stages", 1, "depth"): {"same_as": "stages.1.depth"}},
            r"stages\.1\.depth is tied to itself: stages\.1\.depth -> stages\.1\.depth",
        ),
        (
            {
                ("stages", 0, "depth"): {"same_as": "stages.1.depth"},
                ("stages", 1, "depth"): {"times": ["stages.0.depth", 2]},
            },
            r"is tied to itself: stages\.0\.depth -> stages\.1\.depth -> stages\.0\.depth",
        ),
        (
            {("stages", 1, "depth"): {"times": ["stages.1.blocks", 2]}},
            r"stages\.1\.depth: stages\.1\.blocks is .* which has no multiple",
        ),
        (
            {("stages", 0, "num_heads"): {"times": ["stages.0.width", 0.1]}},
            r"stages\.0\.num_heads must be a whole number of at least 1; got 3\.2",
        ),
    ],
)
def test_a_tie_that_cannot_be_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        space(changes)


# Changes


def test_values_are_changed_by_path():
    found = space()
    variant, recipe = found.resolve(
        found.default(),
        {
            "stages.0.blocks": ["mdta", "conv"],
            "stages.1": {"width": 8, "depth": 1, "num_heads": 2, "blocks": ["identity"]},
            "recipe.epochs": 7,
            "recipe.flip": "horizontal",
            "window_size": 2,
        },
    )
    assert variant.stages[0].blocks == ("mdta", "conv")
    assert (variant.stages[1].width, variant.stages[1].blocks) == (8, ("identity",))
    assert (recipe.epochs, recipe.flip, variant.window_size) == (7, "horizontal", 2)


def test_a_value_below_a_chosen_one_can_be_changed():
    stages = {
        "choose": [
            [{"width": 8, "depth": 1, "num_heads": 1, "blocks": ["conv"]}],
            [{"width": w, "depth": 1, "num_heads": 1, "blocks": ["conv"]} for w in (8, 16)],
        ]
    }
    found = space({("stages",): stages})
    assert [p.path for p in found.parameters] == ["mlp_ratio", "stages", "recipe.learning_rate"]
    for label, count in zip(found.parameters[1].labels, (1, 2), strict=True):
        params = found.default() | {"stages": label}
        variant, _ = found.resolve(params, {"stages.0.blocks": ["mdta"]})
        assert len(variant.stages) == count
        assert variant.stages[0].blocks == ("mdta",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages.0.widht.x": 3}, r"unknown path 'stages\.0\.widht\.x'"),
        (
            {"stages.7.width": 3},
            r"unknown path 'stages\.7\.width'; did you mean 'stages\.\d\.width'",
        ),
        ({"stages.0.widht": 3}, "unknown field of stages.0 'widht'; did you mean 'width'"),
        ({"window": 3}, "unknown field of a variant 'window'"),
        ({"recipe.epoch": 3}, "unknown field of a recipe 'epoch'; did you mean 'epochs'"),
        ({"stages.1.blocks.0": "mdta"}, r"unknown path 'stages\.1\.blocks\.0'"),
        ({"recipe": 3, "recipe.epochs": 4}, "unknown path 'recipe.epochs'"),
        ({"recipe": 3}, "a recipe is a mapping"),
        ({1: 2}, "unknown field of a variant '1'"),
        ({"preset": "quick"}, "unknown field of a variant 'preset'; did you mean 'recipe.preset'"),
        ({"epochs": 3}, "unknown field of a variant 'epochs'; did you mean 'recipe.epochs'"),
        ({"": 2}, "unknown field of a variant ''"),
        ({"stages.0.width": {"choose": [1, 2]}}, "is a choice; give one value"),
        ({"stages.0.width": {"same_as": "nothing"}}, r"stages\.0\.width: unknown value 'nothing'"),
        ({"stages.0.width": {"same_as": "stages.1.width"}}, "is tied to itself"),
        ({"stages": [{"depth": 3}]}, r"stages\.0: blocks, num_heads, width missing"),
        ({"stages.0.depth": "two"}, r"stages\.0\.depth must be a whole number"),
        ({"stages.0": None}, r"unknown value 'stages\.0\.width'"),  # others are tied to it
        ({"stages.0.num_heads": 5}, r"stages\.\d: width \d+ is not divisible by num_heads 5"),
    ],
)
def test_a_change_that_cannot_be_is_refused(changes, message):
    found = space()
    with pytest.raises(InputError, match=message):
        found.resolve(found.default(), changes)


# What is not a space


@pytest.mark.parametrize(
    ("changes", "recipe", "message"),
    [
        ({("widht",): 3}, {}, "unknown field of a variant 'widht'"),
        ({("recipe",): {"epochs": 3}}, {}, "unknown field of a variant 'recipe'"),
        ({(3,): 3}, {}, "unknown field of a variant 3"),
        ({}, {"epoch": 3}, "unknown recipe setting 'epoch'; did you mean 'epochs'"),
        ({}, {None: 3}, "unknown recipe setting None"),
        ({}, {"epochs": {"a": {"b": 1}}}, r"recipe\.epochs: 'a' is not a choice \(write a"),
        (
            {},
            {"epochs": 0},
            "epochs must be a whole number of at least 1 and at most 1,000,000; got 0",
        ),
        ({("stages",): []}, {}, "stages must be a list with at least one stage"),
        ({("stages", 0): {}}, {}, r"unknown value 'stages\.0\.width'"),
        ({("stages", 1): {}}, {}, r"stages\.1: blocks, depth, num_heads, width missing"),
        ({("stages", 1, "blocks"): []}, {}, r"stages\.1\.blocks must be a list"),
        ({("stages", 0, "width"): {"choose": [30, 32]}}, {}, "num_heads must be a whole number"),
        ({("stages", 0, "a.b"): 3}, {}, r"stages\.0: 'a\.b' is not a name"),
    ],
)
def test_what_makes_no_network_at_its_first_values_is_refused(changes, recipe, message):
    with pytest.raises(InputError, match=message):
        space(changes, recipe)


@pytest.mark.parametrize(
    ("changes", "recipe", "message"),
    [
        (
            {("stages", 0, "blocks"): {"choose": [["w_msa"], ["w_msa+mtda"]]}},
            {},
            r"stages\.0\.blocks: 'w_msa\+mtda' makes no network with any other values: "
            r".*unknown branch 'mtda'; did you mean 'mdta'",
        ),
        ({("window_size",): {"choose": [4, "x"]}}, {}, "window_size: 'x' makes no network"),
        (
            {("window_size",): {"choose": [4, [4, 8, 4]]}},
            {},
            r"window_size: '\[4, 8, 4\]' makes no network .* or two for height and width",
        ),
        (
            {("window_size",): {"choose": [4, [4, 4]]}},
            {},
            r"window_size: 4 and '\[4, 4\]' are the same candidate",
        ),
        ({}, {"flip": {"choose": ["none", "horizonal"]}}, "recipe.flip: 'horizonal' makes no net"),
        (
            {
                ("stages", 0, "num_heads"): {"choose": [4, 5]},
                ("stages", 0, "width"): {"choose": [32, 48]},
            },
            {},
            r"stages\.0\.num_heads: 5 makes no network .*32 is not divisible by num_heads 5",
        ),
    ],
)
def test_a_value_that_could_never_be_trained_is_refused(changes, recipe, message):
    with pytest.raises(InputError, match=message):
        space(changes, recipe)


def test_a_value_that_fits_some_others_is_taken():
    found = space(
        {
            ("stages", 0, "num_heads"): {"choose": [4, 5]},
            ("stages", 0, "width"): {"choose": [32, 48, 40, 60]},
            ("stages", 1, "num_heads"): 2,
        }
    )
    with pytest.raises(InputError, match="not divisible"):
        found.resolve(found.default() | {"stages.0.num_heads": 5})


def test_a_users_own_branch_can_be_searched(write_plugin):
    registry.add_plugin(write_plugin("average"))
    found = space({("stages", 0, "blocks"): {"choose": [["w_msa"], ["average+conv"]]}})
    variant, _ = found.resolve(found.default() | {"stages.0.blocks": "average+conv"})
    assert variant.stages[0].blocks == ("average+conv",)


def test_numbers_of_an_even_grid_are_as_they_are_written():
    grid = Space(VARIANT, {"drop_path": {"from": 0, "to": 0.5, "step": 0.1}})
    for given in (0.3, 0.1 + 0.2, 0.30000000000000004):
        _, recipe = grid.resolve(grid.default() | {"recipe.drop_path": given})
        assert recipe.drop_path == 0.3


def test_windows_of_words_and_of_stages_are_chosen_by_one_number_or_two():
    word = {"word": "w_msa(window_size={w})", "w": {"choose": [2, "2x3"]}}
    found = stages_of(word, {"same_as": "stages.0.blocks"})
    params = [found.default() | {"stages.0.blocks.w": label} for label in (2, "2x3")]
    assert len({found.identify(p) for p in params}) == 2
