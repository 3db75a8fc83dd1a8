import math
from random import Random

import pytest

from hybrid_swin.errors import InputError
from search.space.choices import Choice, Range, Tie, read_leaves


def read(node, path="mlp_ratio"):
    return dict(read_leaves(node, path))


def only(node, path="mlp_ratio"):
    return read(node, path)[path]


class Recorder:
    """Answers as a trial would, and remembers what it was asked."""

    def suggest_categorical(self, name, choices):
        self.asked = (name, choices)
        return choices[-1]

    def suggest_int(self, name, low, high, *, step, log):
        self.asked = (name, low, high, step, log)
        return high

    def suggest_float(self, name, low, high, *, step, log):
        self.asked = (name, low, high, step, log)
        return high


def test_values_are_found_by_their_path():
    leaves = read({"a": 1, "stages": [{"width": 8}, {"width": 16, "blocks": ["conv", "mdta"]}]}, "")
    assert leaves == {
        "a": 1,
        "stages.0.width": 8,
        "stages.1.width": 16,
        "stages.1.blocks": ("conv", "mdta"),
    }


def test_a_list_with_a_choice_inside_has_a_path_for_each_of_its_values():
    leaves = read({"blocks": [{"choose": ["conv", "mdta"]}, "w_msa"]}, "s")
    assert leaves == {
        "s.blocks.0": Choice("s.blocks.0", ("conv", "mdta")),
        "s.blocks.1": "w_msa",
    }


@pytest.mark.parametrize("nothing", [None, {}, []])
def test_nothing_is_a_value_and_not_forgotten(nothing):
    assert list(read({"stages": [{"a": 1}, nothing]}, "")) == ["stages.0.a", "stages.1"]


def test_a_dot_in_a_name_is_refused():
    with pytest.raises(InputError, match=r"variant: 'stages\.0\.width' is not a name; nest it"):
        read({"stages.0.width": 8}, "")


# Choices


def test_a_choice_is_drawn_by_its_labels():
    choice = only({"choose": [["w_msa", "sw_msa"], ["w_msa+mdta"], "conv", 3, 2.5, True, None]})
    labels = ["w_msa sw_msa", "w_msa+mdta", "conv", 3, 2.5, True, None]
    assert choice.labels == labels
    assert (choice.default, choice.size) == ("w_msa sw_msa", 7)
    assert choice.value("w_msa sw_msa") == ("w_msa", "sw_msa")
    assert [choice.value(label) for label in labels[2:]] == labels[2:]
    trial = Recorder()
    assert choice.suggest(trial) is None
    assert trial.asked == ("mlp_ratio", labels)


def test_labels_are_what_optuna_can_store():
    nested = only({"choose": [[{"width": 8}], [1, 2], {"a": [1]}]}, "stages")
    assert nested.labels == ['[{"width": 8}]', "[1, 2]", '{"a": [1]}']
    assert nested.value("[1, 2]") == (1, 2)


@pytest.mark.parametrize("values", [[], None, 3, "w_msa", {"a": 1}])
def test_a_choice_needs_values(values):
    with pytest.raises(InputError, match="mlp_ratio: choose takes a list of at least one value"):
        only({"choose": values})


@pytest.mark.parametrize(
    "values", [[2, 3, 2], [4, 4.0], ["a", "b", "a"], [["a"], ["a"]], [1, True]]
)
def test_a_value_stands_once(values):
    with pytest.raises(InputError, match="is among the choices twice"):
        only({"choose": values})


def test_a_choice_that_is_too_long_is_refused_before_its_values_are_made():
    assert only({"choose": list(range(1000))}).size == 1000
    with pytest.raises(InputError, match="mlp_ratio: choose lists 1,001 values; give at most 1,0"):
        only({"choose": list(range(1001))})


def test_a_choice_within_a_choice_is_refused():
    for inner in ({"choose": [1, 2]}, {"from": 1, "to": 2}, {"width": {"choose": [1]}}):
        with pytest.raises(InputError, match="is a choice within a choice; list all its values"):
            only({"choose": [3, inner]}, "stages")


# Ranges


@pytest.mark.parametrize(
    ("node", "size", "asked"),
    [
        ({"from": 2, "to": 6, "step": 2}, 3, ("mlp_ratio", 2, 6, 2, False)),
        ({"from": 2, "to": 4}, None, ("mlp_ratio", 2, 4, None, False)),
        ({"from": 0.1, "to": 0.4, "step": 0.1}, 4, ("mlp_ratio", 0.1, 0.4, 0.1, False)),
        ({"from": 1, "to": 64, "log": True}, None, ("mlp_ratio", 1, 64, None, True)),
        ({"from": 1e-4, "to": 1e-2, "log": True}, None, ("mlp_ratio", 1e-4, 1e-2, None, True)),
        ({"from": 1, "to": 2, "log": False}, None, ("mlp_ratio", 1, 2, None, False)),
        ({"from": -1, "to": 1, "step": None}, None, ("mlp_ratio", -1, 1, None, False)),
    ],
)
def test_a_range_is_drawn_by_its_ends(node, size, asked):
    found = only(node)
    assert (found.size, found.default) == (size, node["from"])
    trial = Recorder()
    assert found.value(found.suggest(trial)) == node["to"]
    assert trial.asked == asked


@pytest.mark.parametrize(
    ("node", "some"),
    [
        ({"choose": [3, 1, 2]}, [3, 1, 2]),
        ({"from": 2, "to": 4, "step": 1}, [2, 3, 4]),
        ({"from": 0, "to": 100, "step": 1}, [0, 33, 67, 100]),
        ({"from": 1, "to": 64, "log": True}, [1, 64]),
        ({"from": 0.5, "to": 2.5}, [0.5, 2.5]),
    ],
)
def test_some_values_stand_for_all(node, some):
    assert list(only(node).some(4)) == some


def test_only_what_counts_is_whole_on_a_logarithmic_scale():
    found = only({"from": 1, "to": 64, "log": True}, "window_size")
    assert (found.size, list(found.some(4))) == (64, [1, 22, 43, 64])
    trial = Recorder()
    found.suggest(trial)
    assert trial.asked == ("window_size", 1, 64, 1, True)


@pytest.mark.parametrize(
    ("node", "meant"), [({"chose": [1, 2]}, "choose"), ({"sameas": "stages.0.width"}, "same_as")]
)
def test_a_misspelt_choice_is_named(node, meant):
    with pytest.raises(InputError, match=f"mlp_ratio: .* did you mean '{meant}'"):
        only(node)


def seeded():
    return Random(0)


@pytest.mark.parametrize(
    ("node", "values"),
    [
        ({"choose": ["a", "b", "c"]}, {"a", "b", "c"}),
        ({"from": 2, "to": 6, "step": 2}, {2, 4, 6}),
    ],
)
def test_each_value_is_drawn_alike(node, values):
    drawn = [only(node).draw(random) for random in [seeded()] for _ in range(900)]
    assert set(drawn) == values
    assert all(abs(drawn.count(v) - 300) < 4 * math.sqrt(900 * 2 / 9) for v in values)


@pytest.mark.parametrize(("log", "middle"), [(True, 0.01), (False, 0.0505)])
def test_a_number_between_two_is_drawn_on_its_scale(log, middle):
    found, random = only({"from": 0.001, "to": 0.1, "log": log}), seeded()
    drawn = [found.draw(random) for _ in range(900)]
    assert 0.001 <= min(drawn) < max(drawn) <= 0.1
    assert abs(sum(v < middle for v in drawn) - 450) < 4 * math.sqrt(900 / 4)


def test_only_whole_numbers_occur_where_all_are_whole():
    assert Range("a", 2, 6, 2, False).whole
    assert Range("a", 1, 64, None, True).whole
    assert not Range("a", 2, 6, None, False).whole
    assert not Range("a", 2.0, 6, 2, False).whole
    assert not Range("a", 2, 6, 0.5, False).whole


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"from": 4, "to": 2}, "from 4 to 2 is not a range of numbers"),
        ({"from": 2, "to": 2}, "from 2 to 2 is not a range"),
        ({"from": "2", "to": 4}, "from '2' to 4 is not a range"),
        ({"from": None, "to": 4}, "is not a range"),
        ({"from": False, "to": True}, "is not a range"),
        ({"from": 0, "to": math.inf}, "is not a range"),
        ({"from": math.nan, "to": 1}, "is not a range"),
        ({"from": 0, "to": 10**400}, "is not a range"),
        ({"from": 0, "to": 4, "step": 0}, "step must be a number above 0, .*got 0"),
        ({"from": 0, "to": 4, "step": -1}, "step must be a number above 0"),
        ({"from": 0, "to": 4, "step": "1"}, "step must be a number above 0"),
        ({"from": 1, "to": 4, "step": 1, "log": True}, "not beside log"),
        ({"from": 0, "to": 4, "log": True}, "log is true or false, and needs from above 0"),
        ({"from": 1, "to": 4, "log": "yes"}, "log is true or false"),
        ({"from": 1, "to": 4, "log": 1}, "log is true or false"),
        ({"from": 2, "to": 9, "step": 2}, "steps of 2 from 2 do not end at 9; choose a step that"),
        ({"from": 0.1, "to": 0.5, "step": 0.3}, "do not end at 0.5"),
        ({"from": 0, "to": 4, "step": 1e-320}, "do not end at 4"),
    ],
)
def test_a_range_that_cannot_be_is_refused(node, message):
    with pytest.raises(InputError, match=f"mlp_ratio: .*{message}"):
        only(node)


@pytest.mark.parametrize(
    "path",
    [
        *("patch_size", "stages.1.depth", "stages.0.num_heads", "recipe.epochs", "recipe.shift"),
        *("window_size", "window_size.1", "stages.0.window_size", "image_size", "image_size.0"),
    ],
)
def test_a_whole_number_is_not_drawn_from_fractions(path):
    for node in ({"from": 1, "to": 4}, {"from": 1.0, "to": 4.0, "step": 1.0}):
        with pytest.raises(InputError, match=f"{path} is a whole number, .*step: 1"):
            only(node, path)
    assert only({"from": 1, "to": 4, "step": 1}, path).whole
    assert only({"from": 1, "to": 4, "log": True}, path).whole


# Ties, and what is none of these


def test_a_tie_names_its_source():
    assert only({"same_as": "stages.0.depth"}) == Tie("stages.0.depth", 1)
    assert only({"times": ["stages.0.width", 0.125]}) == Tie("stages.0.width", 0.125)


@pytest.mark.parametrize(
    "pair", [None, 3, "a", [], ["a"], ["a", "2"], ["a", 1, 2], ["a", math.nan]]
)
def test_a_multiple_needs_a_path_and_a_factor(pair):
    with pytest.raises(InputError, match=r"mlp_ratio: times takes \[path, factor\], for example"):
        only({"times": pair})


@pytest.mark.parametrize(
    "node",
    [
        {"from": 2},
        {"to": 2},
        {"step": 2},
        {"log": True},
        {"choose": [1], "same_as": "a"},
        {"choose": [1], "chose": [2]},
        {"from": 1, "to": 2, "by": 1},
        {"same_as": "a", "times": ["a", 2]},
    ],
)
def test_what_is_no_choice_is_refused_with_all_that_are(node):
    with pytest.raises(InputError, match=r"mlp_ratio: .* is not a choice; write {choose: \[...\]}"):
        only(node)


# What is none of them


@pytest.mark.parametrize(
    ("node", "path", "message"),
    [
        ({"choice": [16, 24]}, "stages.0.width", "'choice' is not a choice; did you mean 'choose'"),
        ({"choices": [16]}, "recipe.epochs", "'choices' is not a choice; did you mean 'choose'?"),
        ({"form": 1, "t": 2}, "mlp_ratio", "'form' is not a choice; did you mean 'from'?"),
        ({"values": [2, 4]}, "mlp_ratio", "'values' is not a choice (write a value, {choose: ["),
        ([{"choice": ["conv"]}], "stages.0.blocks", ".0: 'choice' is not a choice; did you mean"),
        ({"one": {"of": [1]}}, "recipe.epochs", "'one' is not a choice (write"),
        ({"word": "{k}", "k": {"any": [3, 5]}}, "blocks.0", "blocks.0.k: 'any' is not a choice ("),
        ({"wrod": "{k}", "k": 3}, "blocks.0", "'wrod' is not a choice; did you mean 'word'?"),
        ({"chose": [1]}, "stages.0", "'chose' is not a choice; did you mean 'choose'?"),
    ],
)
def test_a_mapping_where_a_value_stands_is_named(node, path, message):
    with pytest.raises(InputError) as error:
        read(node, path)
    assert message in str(error.value)
    assert str(error.value).startswith(path)


def test_mappings_that_are_no_values_stay():
    word = {"word": "{choice}(kernel={values})", "choice": "conv", "values": {"choose": [3, 5]}}
    stage = {"width": {"times": ["stages.0.width", 2]}, "blocks": [word]}
    leaves = read({"stages": [stage], "recipe": {"epochs": 3}}, "")
    assert list(leaves) == [
        "stages.0.width",
        "stages.0.blocks.0",
        "stages.0.blocks.0.choice",
        "stages.0.blocks.0.values",
        "recipe.epochs",
    ]
