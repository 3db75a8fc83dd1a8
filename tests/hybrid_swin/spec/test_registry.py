"""Names of parts, and plug-ins: real files in a temporary folder."""

import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from hybrid_swin.data.sources import Source
from hybrid_swin.errors import InputError
from hybrid_swin.inspection.methods import Inspection
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.fusions import Fusion
from hybrid_swin.spec import registry

KINDS = ("branch", "fusion", "data source", "inspection")
BASES = {"branch": Branch, "fusion": Fusion, "data source": Source, "inspection": Inspection}

FUSION = '''
from hybrid_swin.network.fusions import Fusion

class Difference(Fusion):
    """One minus the other."""

    min_branches = 2
    max_branches: int = 2
    ordered = True

    def __init__(self, dim, num_heads, makers, *, scale: float = 1.0):
        super().__init__()
'''
SOURCE = '''
from typing import Literal
from hybrid_swin.data.sources import Source

class Noise(Source):
    """Random pixels.

    More about them.
    """

    def __init__(
        self, count: int, colour: Literal["grey", "red"] = "grey", column: str | None = None
    ) -> None:
        self.count = count

    def load(self, image_size, in_channels, cache):
        raise NotImplementedError
'''


def test_the_required_parts_are_built_in():
    assert {"w_msa", "sw_msa", "mdta", "conv"} <= set(registry.names("branch"))
    assert {"sum", "concat", "split", "gate"} <= set(registry.names("fusion"))
    assert {"digits", "folder", "npz"} <= set(registry.names("data source"))


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in KINDS for name in registry.names(kind)]
)
def test_what_is_described_is_what_is_loaded(kind, name):
    entry, loaded = registry.describe(kind, name), registry.load(kind, name)
    assert issubclass(loaded, BASES[kind])
    assert loaded.__name__ == entry.class_name
    assert loaded.__doc__.startswith(entry.summary)
    assert entry.summary
    assert entry.plugin_hash == ""
    for constant, value in entry.constants.items():
        assert getattr(loaded, constant) == value


def test_options_are_read_without_running_the_file():
    conv = registry.describe("branch", "conv").options["kernel"]
    assert (conv.choices, conv.default, conv.required) == ((3, 5, 7, 9, 11), 3, False)
    mdta = registry.describe("branch", "mdta").options
    assert {name: (o.type, o.default) for name, o in mdta.items()} == {
        "depthwise": (bool, True),
        "attention": (bool, True),
    }
    assert registry.describe("fusion", "split").constants == {
        "symmetric": True,
        "per_branch": ("ratio",),
        "heads_per_branch": True,
    }


@pytest.mark.parametrize("name", ["w_mas", "", "__init__", None, 3, ["w_msa"], "../branches/conv"])
def test_a_name_that_does_not_exist_is_refused(name):
    with pytest.raises(InputError, match=r"unknown branch .*branches: .*channel_group, conv, "):
        registry.describe("branch", name)


def test_a_plugin_stands_beside_the_built_in_parts(write_plugin):
    path = write_plugin("average", options=', rate: float = 0.5, mode: str = "fast"')
    entry = registry.add_plugin(path)
    assert (entry.kind, entry.name, entry.summary) == ("branch", "average", "Average of the map.")
    assert "average" in registry.names("branch")
    assert len(registry.plugin_hash("branch", "average")) == 10
    assert registry.describe("branch", "average").options["rate"].default == 0.5
    loaded = registry.load("branch", "average")
    assert loaded.__name__ == "Average"
    assert issubclass(loaded, Branch)
    assert registry.load("branch", "average") is loaded


def test_a_fusion_is_a_plugin_too(write_plugin):
    entry = registry.add_plugin(write_plugin("difference", FUSION))
    assert entry.kind == "fusion"
    assert entry.constants == {"min_branches": 2, "max_branches": 2, "ordered": True}
    assert entry.options["scale"].type is float
    assert registry.load("fusion", "difference").ordered is True


def test_a_data_source_is_a_plugin_too(write_plugin):
    entry = registry.add_plugin(write_plugin("noise", SOURCE))
    assert (entry.kind, entry.summary) == ("data source", "Random pixels.")
    assert entry.options["count"].required
    assert entry.options["colour"].choices == ("grey", "red")
    column = entry.options["column"]
    assert (column.type, column.default, column.required) == (str, None, False)
    assert registry.load("data source", "noise")(count=3).count == 3
    checked = entry.check_options({"count": 3, "column": None})
    assert checked == {"count": 3, "column": None}
    with pytest.raises(InputError, match="option 'count' is missing; give a whole number"):
        entry.check_options({})
    with pytest.raises(InputError, match="unknown option of noise 'colr'; did you mean 'colour'"):
        entry.check_options({"count": 3, "colr": "red"})


def test_a_file_is_read_but_not_run(write_plugin, tmp_path):
    trace = tmp_path / "was_run"
    path = write_plugin("average")
    path.write_text(path.read_text() + f"\nopen({str(trace)!r}, 'w').close()\n")
    registry.add_plugin(path)
    registry.describe("branch", "average")
    registry.plugin_hash("branch", "average")
    assert not trace.exists()
    registry.load("branch", "average")
    assert trace.exists()


def test_reading_a_plugin_does_not_make_it_known(write_plugin):
    assert registry.read_plugin(write_plugin("average")).name == "average"
    assert "average" not in registry.names("branch")


def test_an_edited_plugin_is_another_one(write_plugin):
    path = write_plugin("average")
    first = registry.add_plugin(path)
    old = registry.load("branch", "average")
    path.write_text(path.read_text().replace("x.mean(", "2 * x.mean("))
    second = registry.add_plugin(path)
    assert second.plugin_hash != first.plugin_hash
    assert registry.describe("branch", "average").plugin_hash == second.plugin_hash
    assert registry.load("branch", "average") is not old


def test_two_files_of_one_name_clash_unless_they_are_the_same(write_plugin):
    registry.add_plugin(write_plugin("average", folder="a"))
    same = write_plugin("average", folder="b")
    registry.add_plugin(same)
    other = write_plugin("average", folder="c", summary="Another.")
    with pytest.raises(InputError, match="have the same name; rename one of them") as error:
        registry.add_plugin(other)
    assert str(same) in str(error.value) and str(other) in str(error.value)
    same.unlink()  # a study's copy may be deleted
    assert registry.add_plugin(other).summary == "Another."


def test_a_branch_and_a_fusion_may_share_a_name(write_plugin):
    registry.add_plugin(write_plugin("difference", folder="a"))
    registry.add_plugin(write_plugin("difference", FUSION, folder="b"))
    branch = registry.describe("branch", "difference")
    fusion = registry.describe("fusion", "difference")
    assert branch.plugin_hash != fusion.plugin_hash
    assert registry.load("branch", "difference") is not registry.load("fusion", "difference")


@pytest.mark.parametrize("name", ["conv", "w_msa"])
def test_a_built_in_name_cannot_be_taken(write_plugin, name):
    with pytest.raises(InputError, match=f"{name!r} is a built-in branch; rename the file"):
        registry.add_plugin(write_plugin(name))


@pytest.mark.parametrize("name", ["Average", "_average", "2nd", "my-branch", "a.b", "größe", "a b"])
def test_a_name_must_be_what_a_word_can_spell(write_plugin, name):
    with pytest.raises(InputError, match="the file's name becomes the part's name"):
        registry.add_plugin(write_plugin(name))


@pytest.mark.parametrize(
    "path", ["missing.py", "/", "", "~nobody_of_this_name/a.py", "a\0b.py", "a" * 300 + ".py"]
)
def test_what_is_no_file_is_refused(path):
    with pytest.raises(InputError, match=r"is not a file; give the path of a \.py file"):
        registry.add_plugin(path)


def test_another_kind_of_file_is_refused(write_plugin):
    path = write_plugin("average")
    with pytest.raises(InputError, match=r"give the path of a \.py file"):
        registry.add_plugin(path.rename(path.with_suffix(".txt")))


INIT = "    def __init__(self, dim, num_heads, window_size, grid_size"
BAD = {
    "syntax": ("class Average(Branch:\n", "cannot be read as Python"),
    "null": ("\0", "cannot be read as Python"),
    "empty": ("", "found none"),
    "no class": ("class Average:\n    pass\n", "found none"),
    "indirect": ("class A(Mine):\n    pass\n", "found none"),
    "two": ("class A(Branch):\n  pass\nclass B(Branch):\n  pass\n", "exactly one class .* found 2"),
    "two kinds": (
        "class A(Branch):\n  pass\nclass B(Fusion):\n  pass\n",
        r"exactly one class .*found \['branch', 'fusion'\]",
    ),
    "no contract": (
        "class A(Branch):\n    def __init__(self, dim):\n        pass\n",
        r"must take \(self, dim, num_heads, window_size, grid_size, .*it takes \(dim\)",
    ),
    "order": (
        "class A(Branch):\n    def __init__(self, num_heads, dim, window_size, grid_size): pass\n",
        "must take .*it takes .num_heads, dim",
    ),
    "stars": (
        "class A(Branch):\n    def __init__(self, *args, **kwargs):\n        pass\n",
        r"must take .*it takes \(\)",
    ),
    "untyped": (f"class A(Branch):\n{INIT}, rate=1): pass\n", "option 'rate' needs a type"),
    "computed default": (
        f"class A(Branch):\n{INIT}, rate: int = RATE): pass\n",
        "the default of average.py: option 'rate' must be a literal .* it is RATE",
    ),
    "computed choice": (
        f"class A(Branch):\n{INIT}, rate: Literal[A, B] = 1): pass\n",
        "option 'rate' must be a literal",
    ),
    "computed constant": (
        "class A(Fusion):\n    min_branches = len(NAMES)\n",
        "average.py: min_branches must be a literal",
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD.keys())
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(write_plugin, text, message):
    path = write_plugin("average", text)
    with pytest.raises(InputError, match=message) as error:
        registry.add_plugin(path)
    assert "average.py" in str(error.value)
    assert "average" not in registry.names("branch")


def test_a_file_that_is_no_text_is_refused(write_plugin):
    path = write_plugin("average")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read as Python"):
        registry.add_plugin(path)


@pytest.mark.parametrize("end", ["", "1 / 0"])
def test_a_file_that_changes_the_working_folder_is_found_again(
    write_plugin, tmp_path, monkeypatch, end
):
    path = write_plugin("average")
    path.write_text(f"import os\nos.chdir('/')\n{path.read_text()}\n{end}\n")
    monkeypatch.chdir(path.parent)
    registry.add_plugin(path.name)
    with pytest.raises(InputError) if end else nullcontext():
        registry.load("branch", "average")
    assert Path.cwd() == path.parent
    registry.add_plugin(path.name)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_file_that_fails_on_import_says_why(write_plugin, line, message):
    path = write_plugin("average")
    path.write_text(f"{line}\n{path.read_text()}")
    registry.add_plugin(path)
    for _ in range(2):  # half a module must not be left behind
        with pytest.raises(InputError, match=f"'average.py' fails on import: {message}"):
            registry.load("branch", "average")
    assert not [name for name in sys.modules if name.startswith("hybrid_swin_plugins.average")]


@pytest.mark.parametrize(
    ("kind", "name", "place"),
    [
        ("branch", "lion", "an optimizer, named in recipe.optimizer "),
        ("optimizer", "w_msa", r"a branch, named in a block word, as in w_msa\+w_msa "),
        ("branch", "gate", r"a fusion, named in a block word, as in w_msa\+mdta:gate "),
        ("schedule", "rand_augment", "an augmentation, named in recipe.augmentations "),
    ],
)
def test_a_name_of_another_kind_is_told_where_it_belongs(kind, name, place):
    with pytest.raises(InputError, match=f"unknown {kind} '{name}': it is {place}"):
        registry.describe(kind, name)
