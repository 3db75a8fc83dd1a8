import copy
import dataclasses
import math
import pickle

import pytest
import yaml

from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant

VALID = {
    "image_size": [24, 20],
    "in_channels": 1,
    "num_classes": 5,
    "patch_size": 2,
    "window_size": 4,
    "mlp_ratio": 2.0,
    "stages": [
        {"width": 16, "depth": 2, "num_heads": 2, "blocks": ["w_msa", "sw_msa"]},
        {"width": 24, "depth": 3, "num_heads": 4, "blocks": ["conv(kernel=5)+w_msa:gate"]},
    ],
}


def variant(blocks=("w_msa",), depth=2, **changes):
    stage = Stage(width=24, depth=depth, num_heads=3, blocks=blocks)
    fields = {"image_size": 32, "patch_size": 2, "window_size": 4, "stages": [stage]}
    return Variant(**(fields | changes))


def test_a_dict_is_read_and_given_back():
    read = Variant.from_dict(VALID)
    assert read.to_dict() == VALID
    assert read.image_size == (24, 20)
    assert read.stages[1] == Stage(24, 3, 4, ("conv(kernel=5)+w_msa:gate",))
    assert Variant.from_dict(read.to_dict()) == read
    assert hash(Variant.from_dict(VALID)) == hash(read)
    assert pickle.loads(pickle.dumps(read)) == read  # noqa: S301


def test_yaml_is_read_and_given_back(tmp_path):
    read = Variant.from_dict(VALID)
    path = tmp_path / "mine.yaml"
    path.write_text(read.to_yaml())
    again = Variant.from_yaml(path)
    assert (again, again.id) == (read, read.id)
    assert yaml.safe_load(read.to_yaml()) == VALID


def test_a_yaml_file_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "mine.yaml"
    for text in ("a: [", "- a", "", "stages: 3", "image_size: 2020-99-99", "stages: [{width: 5}]"):
        path.write_text(text)
        with pytest.raises(InputError, match=r"variant file '.*mine\.yaml'"):
            Variant.from_yaml(path)
    path.write_bytes(b"\xff\xff")
    with pytest.raises(InputError, match=r"variant file '.*mine\.yaml' cannot be read"):
        Variant.from_yaml(path)
    with pytest.raises(InputError, match=r"variant file '.*none\.yaml' cannot be read"):
        Variant.from_yaml(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="is not a regular file"):
        Variant.from_yaml(tmp_path)


def test_a_variant_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        variant().patch_size = 3


def test_blocks_cycle_over_the_depth():
    assert Stage(24, 5, 3, ("conv", "mdta")).words() == ("conv", "mdta", "conv", "mdta", "conv")


def test_grids_are_rounded_up():
    stages = [Stage(8, 1, 1, ("conv",))] * 4
    found = Variant(image_size=(30, 9), patch_size=4, stages=stages)
    assert found.grids == ((8, 3), (4, 2), (2, 1), (1, 1))
    for height, width in ((1, 2), (7, 31)):
        found = Variant(image_size=(height, width), patch_size=2, stages=stages[:1])
        assert found.grids == ((math.ceil(height / 2), math.ceil(width / 2)),)


def test_names_are_for_people():
    assert variant().name == "w_msa 2x24"
    assert Variant.from_dict(VALID).name == "w_msa sw_msa | conv(kernel=5)+w_msa:gate 2x16-3x24"
    same = copy.deepcopy(VALID)
    same["stages"][1]["blocks"] = ["w_msa", "sw_msa"]
    assert Variant.from_dict(same).blocks_name == "w_msa sw_msa"


def test_a_stage_may_have_windows_and_norms_of_its_own():
    data = copy.deepcopy(VALID)
    data["stages"][0] |= {"window_size": 6, "norm": "post"}
    read = Variant.from_dict(data)
    assert read.window_sizes == (6, 4)
    assert read.to_dict() == data
    assert read.name.endswith(" 2x16(window=6;norm=post)-3x24")
    assert Variant.from_dict(read.to_dict()) == read


def test_windows_of_equal_sides_are_one_number():
    square = Variant.from_dict(VALID)
    for window in ([4, 4], (4, 4.0), 4.0):
        same = Variant.from_dict(changed(["window_size"], window))
        assert same == square and same.window_size == 4 and same.to_yaml() == square.to_yaml()
        of_stage = Variant.from_dict(changed(["stages", 0, "window_size"], window))
        assert of_stage.stages[0].window_size == 4 and of_stage.id == square.id


def test_windows_may_have_two_sides():
    oblong = Variant.from_dict(changed(["window_size"], [2, 4.0]))
    assert oblong.window_size == (2, 4) and oblong.window_sizes == ((2, 4), (2, 4))
    assert oblong == Variant.from_dict(yaml.safe_load(oblong.to_yaml()))
    assert "window_size:\n- 2\n- 4\n" in oblong.to_yaml()
    other = Variant.from_dict(changed(["window_size"], [4, 2]))
    assert len({oblong.id, other.id, Variant.from_dict(VALID).id}) == 3 and hash(oblong)
    data = changed(["stages", 0, "window_size"], [7, 9])
    read = Variant.from_dict(data)
    assert read.window_sizes == ((7, 9), 4) and read.to_dict() == data
    assert "2x16(window=7x9)-" in read.name
    # A side along which one window covers the map has nothing to shift.
    covered, shifted = (
        variant([word], image_size=16, patch_size=2, window_size=(8, 4)).id
        for word in ("sw_msa(shift=map)", "w_msa")
    )
    assert covered == shifted


def test_merging_may_normalise_before_or_after_its_projection():
    read = Variant.from_dict(VALID | {"merging_norm": "post"})
    assert read.to_dict()["merging_norm"] == "post"
    assert Variant.from_dict(read.to_dict()) == read
    assert "merging_norm" not in Variant.from_dict(VALID | {"merging_norm": "pre"}).to_dict()
    with pytest.raises(InputError, match=r"merging_norm must be one of pre, post; got 'past'; did"):
        Variant.from_dict(VALID | {"merging_norm": "past"})


def test_fields_that_came_later_are_left_out_at_their_default():
    for name, default, other in (
        ("stem", "patch", "conv"),
        ("merging", "linear", "pool"),
        ("layer_scale", 0, 1e-5),
    ):
        read = Variant.from_dict(VALID | {name: other})
        assert read.to_dict()[name] == other and Variant.from_dict(read.to_dict()) == read
        assert Variant.from_dict(VALID | {name: default}).to_dict() == VALID
        assert read.id != Variant.from_dict(VALID).id
        assert read.name == f"{Variant.from_dict(VALID).name} {name}={other}"
    assert Variant.from_dict(VALID | {"layer_scale": "1e-5"}).layer_scale == 1e-5
    for wrong in (-1, 2, True, "little"):
        with pytest.raises(InputError, match="layer_scale must be a number of at least 0 and at m"):
            Variant.from_dict(VALID | {"layer_scale": wrong})


# Identity


def test_merging_is_a_part_of_an_identity_where_something_is_merged():
    def ids(data):
        fields = [{"merging_norm": norm} for norm in ("pre", "post")]
        fields += [{"merging": kind} for kind in ("linear", "conv", "pool")]
        return {Variant.from_dict(data | field).id for field in fields}

    assert len(ids(VALID)) == 4 and Variant.from_dict(VALID).id in ids(VALID)
    assert len(ids(VALID | {"stages": VALID["stages"][:1]})) == 1


def test_the_id_stays_what_it_was_since_stored_studies_are_known_by_it():
    assert Variant.from_dict(VALID).id == "f9486e0af8"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["w_msa"], ["w_msa", "w_msa"]),
        (["w_msa", "mdta"], ["w_msa", "mdta", "w_msa", "mdta"]),
        (["w_msa+mdta"], ["mdta+w_msa"]),
        (["w_msa+mdta"], ["w_msa + mdta : sum"]),
        (["conv(kernel=3)"], ["conv"]),
        (["w_msa+conv:split(ratio=3-1)"], ["conv+w_msa:split(ratio=1-3)"]),
        (["pointwise(ratio=1)"], ["pointwise(ratio=1.0)"]),
    ],
)
def test_equal_networks_have_equal_ids(one, other):
    first, second = variant(one, depth=4), variant(other, depth=4)
    assert first.id == second.id
    assert first != second  # the user's own words are kept


def stage_of(word, **fields):
    return Variant(
        image_size=32, patch_size=2, window_size=4, stages=[Stage(24, 2, 3, (word,), **fields)]
    )


def test_fields_of_a_stage_that_change_nothing_do_not_change_the_id():
    plain = stage_of("conv+w_msa")
    assert stage_of("conv+w_msa", window_size=4).id == plain.id
    assert stage_of("conv+w_msa", norm="pre").id == plain.id
    assert stage_of("w_msa", norm="branch").id == stage_of("w_msa").id
    distinct = [{}, {"window_size": 8}, {"norm": "post"}, {"norm": "branch"}]
    assert len({stage_of("conv+w_msa", **fields).id for fields in distinct}) == 4
    # Where one window covers the map there is nothing to shift and nothing to stride over.
    covered = {stage_of(w, window_size=16).id for w in ("w_msa", "sw_msa", "grid")}
    assert len(covered) == 1
    assert len({stage_of(w).id for w in ("w_msa", "sw_msa", "grid")}) == 3


def test_numbers_may_be_written_differently():
    assert variant(image_size=(32, 32), mlp_ratio=4).id == variant(image_size=32.0).id
    assert variant(image_size=[32, 32]) == variant(image_size=32)
    assert variant("w_msa") == variant(["w_msa"])


DIFFERENT = [
    {"image_size": 30},
    {"image_size": (32, 16)},
    {"image_size": (16, 32)},
    {"in_channels": 1},
    {"num_classes": 10},
    {"patch_size": 1},
    {"window_size": 5},
    {"window_size": (5, 7)},
    {"window_size": (7, 5)},
    {"mlp_ratio": 3.0},
    {"blocks": ("sw_msa",)},
    {"blocks": ("w_msa", "sw_msa")},
    {"blocks": ("sw_msa", "w_msa")},
    {"blocks": ("w_msa+mdta",)},
    {"blocks": ("w_msa+mdta:gate",)},
    {"blocks": ("w_msa+mdta(depthwise=false)",)},
    {"depth": 3},
    {"stages": [Stage(48, 2, 3, ("w_msa",))]},
    {"stages": [Stage(24, 2, 2, ("w_msa",))]},
    {"stages": [Stage(24, 2, 3, ("w_msa",)), Stage(24, 2, 3, ("w_msa",))]},
]


def test_different_networks_have_different_ids():
    ids = [variant(**changes).id for changes in ({}, *DIFFERENT)]
    assert len(set(ids)) == len(ids)
    assert all(len(i) == 10 and set(i) <= set("0123456789abcdef") for i in ids)


def test_a_window_that_covers_the_map_has_nothing_to_shift():
    for size, covered in ((8, True), (9, False), ((8, 7), True), ((8, 9), False), ((3, 40), False)):
        shifted = variant(["sw_msa"], image_size=size, patch_size=2).id
        assert (shifted == variant(["w_msa"], image_size=size, patch_size=2).id) is covered


def test_shifting_is_judged_stage_by_stage():
    def of(first, last):
        stages = [Stage(24, 1, 3, (first,)), Stage(24, 1, 3, (last,))]
        return Variant(image_size=16, patch_size=2, window_size=4, stages=stages)

    shifted = of("sw_msa", "sw_msa")
    assert shifted.id == of("sw_msa", "w_msa").id  # one window covers the second stage's map
    assert shifted.id != of("w_msa", "sw_msa").id
    # What is built can still shift on larger maps.
    assert [[str(w) for w in words] for words in shifted.block_words] == [["sw_msa"]] * 2


def test_names_are_dropped_only_where_the_order_of_the_branches_stays():
    # Of a covered map, too, `cross` gates the values of the branch that comes last.
    assert stage_of("grid+mdta:cross", window_size=16).id != (
        stage_of("w_msa+mdta:cross", window_size=16).id
    )
    assert stage_of("conv+grid:cross", window_size=16).id == (
        stage_of("conv+w_msa:cross", window_size=16).id
    )


def test_the_source_of_a_plugin_is_part_of_the_id(write_plugin):
    path = write_plugin("average")
    registry.add_plugin(path)
    first = variant(["average+w_msa"]).id
    assert variant(["w_msa+average"]).id == first
    path.write_text(path.read_text().replace("x.mean(", "2 * x.mean("))
    registry.add_plugin(path)
    assert variant(["average+w_msa"]).id != first


# What cannot be


def changed(path, value):
    data = copy.deepcopy(VALID)
    *parents, last = path
    node = data
    for key in parents:
        node = node[key]
    node[last] = value
    return data


NO_WHOLE = [0, -1, 2.5, "8", True, None, [], {}, math.nan, math.inf, 10**400]
PLACES = {
    "in_channels": ("in_channels",),
    "patch_size": ("patch_size",),
    "stages.1.width": ("stages", 1, "width"),
    "stages.0.depth": ("stages", 0, "depth"),
    "stages.1.num_heads": ("stages", 1, "num_heads"),
}


@pytest.mark.parametrize("value", NO_WHOLE, ids=lambda v: repr(v)[:9])
@pytest.mark.parametrize("place", PLACES)
def test_a_whole_number_is_needed(place, value):
    with pytest.raises(InputError, match=f"^{place} must be ") as error:
        Variant.from_dict(changed(PLACES[place], value))
    assert "at least 1; got " in str(error.value) or "at most " in str(error.value)


@pytest.mark.parametrize(
    "value", [*NO_WHOLE, "7x9", (7,), [7, 9, 3], [7, 0], [7, "9"], [7, True], [7, 2.5], [[7], 9]]
)
@pytest.mark.parametrize("place", [["window_size"], ["stages", 1, "window_size"]])
def test_a_window_has_one_side_or_two(place, value):
    if value is None and len(place) > 1:
        assert Variant.from_dict(changed(place, value)) == Variant.from_dict(VALID)
        return
    whole = r"must be a whole number from 1 to 1,000,000,000, or two for height and width, such as"
    where = "window_size" if len(place) == 1 else "stages.1.window_size"
    with pytest.raises(InputError, match=f"^{where} {whole} \\[7, 9\\]; got ") as error:
        Variant.from_dict(changed(place, value))
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("value", [0, -2, "4", True, None, [4], math.nan, math.inf, 10**400, 1e9])
def test_an_mlp_ratio_is_a_number(value):
    with pytest.raises(InputError, match=r"^mlp_ratio must be a number above 0 and at most 1000"):
        Variant.from_dict(changed(["mlp_ratio"], value))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "at least 1; got 0"),
        ([8], r"one number or \[height, width\]; got \[8\]"),
        ([8, 8, 3], r"one number or \[height, width\]"),
        ([], r"one number or \[height, width\]"),
        ([8, "8"], "at least 1; got '8'"),
        ("8x8", "at least 1; got '8x8'"),
        (None, "got None"),
        ({"height": 8}, "got {'height': 8}"),
        ([8, 10**400], "at most"),
    ],
)
def test_an_image_has_a_size(value, message):
    with pytest.raises(InputError, match=f"^image_size must be .*{message}"):
        Variant.from_dict(changed(["image_size"], value))


def test_no_classes_are_a_network_without_a_head():
    assert Variant.from_dict(changed(["num_classes"], 0)).num_classes == 0
    with pytest.raises(
        InputError, match="num_classes must be a whole number of at least 0; got -1"
    ):
        Variant.from_dict(changed(["num_classes"], -1))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, "a variant is a mapping with 'stages'; got 3"),
        (None, "a variant is a mapping"),
        ([VALID], "a variant is a mapping"),
        ({}, r"stages must be a list with at least one stage; got \(\)"),
        (changed(["stages"], []), r"stages must be a list .*got \[\]"),
        (changed(["stages"], {"0": {}}), "stages must be a list"),
        (changed(["stages"], "w_msa"), "stages must be a list .*got 'w_msa'"),
        (changed(["stages"], [{}] * 18), "stages lists 18 stages; give at most 17"),
        (changed(["stages", 1], 5), "stages.1 must be a mapping with width, depth, .*got 5"),
        (changed(["stages", 1], [1]), "stages.1 must be a mapping"),
        (changed(["stages", 1], {}), "stages.1: blocks, depth, num_heads, width missing"),
        (changed(["stages", 0], {"width": 8, "depth": 1, "blocks": ["conv"]}), "num_heads missing"),
        (changed(["widht"], 3), "unknown field of a variant 'widht'"),
        (changed(["window"], 3), "unknown field of a variant 'window'; did you mean 'window_size'"),
        (changed([3], 3), "unknown field of a variant 3"),
        (changed([None], 3), "unknown field of a variant None"),
        (
            changed(["stages", 1, "heads"], 3),
            "unknown field of stages.1 'heads'; did you mean 'num_heads'",
        ),
        (
            changed(["stages", 0, "blocks"], []),
            "stages.0.blocks must be a list .*at least one word",
        ),
        (changed(["stages", 0, "blocks"], None), "stages.0.blocks must be a list .*got None"),
        (changed(["stages", 0, "blocks"], {"w_msa": 1}), "stages.0.blocks must be a list"),
        (changed(["stages", 0, "blocks"], [["w_msa"]]), "stages.0.blocks: a block is a word"),
        (changed(["stages", 0, "blocks"], [None]), "stages.0.blocks: a block is a word"),
        (
            changed(["stages", 1, "blocks"], ["conv", "w_mas"]),
            "stages.1.blocks: unknown branch 'w_mas'; did you mean 'w_msa'",
        ),
        (
            changed(["stages", 0, "blocks"], ["conv"] * 3),
            "stages.0: 3 blocks are named for a depth of 2; name at most 2",
        ),
        (
            changed(["stages", 1, "num_heads"], 5),
            "stages.1: width 24 is not divisible by num_heads 5; "
            "choose one of 1, 2, 3, 4, 6, 8, 12, 24",
        ),
        (
            changed(["stages", 0, "blocks"], ["w_msa+mdta+conv:split"]),
            "stages.0: 'w_msa.mdta.conv:split' gives each branch whole heads, "
            "so num_heads 2 is too few for 3 branches",
        ),
        (changed(["mlp_ratio"], 0.01), "stages.0: mlp_ratio 0.01 leaves no hidden channel of"),
        (changed(["patch_size"], 25), "image_size 24x20 is smaller than patch_size 25; .*most 24"),
    ],
)
def test_a_mistake_is_named_with_its_place(data, message):
    with pytest.raises(InputError, match=message):
        Variant.from_dict(data)


def test_a_map_of_one_token_cannot_be_merged():
    stages = [Stage(8, 1, 1, ("conv",))] * 3
    assert Variant(image_size=8, patch_size=2, stages=stages).grids[-1] == (1, 1)
    assert Variant(image_size=(1, 3), patch_size=1, stages=stages).grids[-1] == (1, 1)
    with pytest.raises(
        InputError, match=r"stages\.2: image_size 8x8 with patch_size 4 is down to "
    ):
        Variant(image_size=8, patch_size=4, stages=stages)
    with pytest.raises(InputError, match=r"stages\.1: .* after 1 stages, so there is nothing left"):
        Variant(image_size=8, patch_size=8, stages=stages)


def test_one_side_may_be_smaller_than_a_patch():
    assert Variant(image_size=(2, 8), patch_size=4, stages=[Stage(8, 1, 1, ("conv",))]).grids == (
        (1, 2),
    )


def test_what_replace_makes_is_checked_too():
    with pytest.raises(InputError, match="patch_size must be"):
        dataclasses.replace(variant(), patch_size=0)
