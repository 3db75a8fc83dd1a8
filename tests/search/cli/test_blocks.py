import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.network.contract import words_with
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import parse
from search.cli.blocks import check_parts
from search.cli.main import main

THREE = '''
from functools import reduce
from operator import add

from torch import nn

from hybrid_swin.cost import Cost
from hybrid_swin.network.fusions import Fusion, silence


class Trio(Fusion):
    """Three or four branches, added."""

    min_branches = 3
    max_branches = 4

    def __init__(self, dim, num_heads, makers):
        super().__init__()
        self.branches = nn.ModuleList(make(dim, num_heads) for make in makers)

    def forward(self, x):
        return reduce(add, (branch(x) for branch in self.branches))

    def identity_start(self, base):
        return silence(self.branches, base)

    @classmethod
    def cost(cls, dim, num_heads, grid_size, makers):
        return sum((make(dim, num_heads) for make in makers), Cost())
'''


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")


def test_all_parts_are_listed_with_their_options(write_plugin, capsys):
    path = write_plugin("average", options=", rate: float = 0.5", summary="Mean [of] the map.")
    assert main(["blocks", "--plugin", str(path)]) == 0
    out = capsys.readouterr().out
    for expected in ("w_msa", "mdta", "conv", "gate", "split", "digits", "folder"):
        assert f"\n{expected} " in out
    assert "kernel=3 (one of 3, 5, 7, 9, 11)" in out
    assert "depthwise=true; attention=true" in out
    assert "path=required" in out
    assert "average (plug-in)" in out and "Mean [of] the map." in out and "rate=0.5" in out


def check_plugins(paths):
    return check_parts([registry.add_plugin(path) for path in paths])


def test_parts_that_are_named_say_what_to_do_next(write_plugin, capsys):
    assert main(["blocks", "rand_augment", "linear"]) == 0
    out = capsys.readouterr().out
    assert "next: python search.py run --recipe.augmentations '[rand_augment]' --dry-run" in out
    assert "next: python search.py cost w_msa+linear\n" in out
    assert "next: python search.py run --recipe.schedule linear --dry-run" in out
    assert "w_msa " not in out
    path = write_plugin("average")
    assert main(["blocks", "average", "--plugin", str(path)]) == 0
    assert f"next: python search.py cost w_msa+average --plugin {path}" in capsys.readouterr().out
    assert main(["blocks", "rand_augmnet"]) == 2
    assert "unknown part 'rand_augmnet'; did you mean 'rand_augment'?" in capsys.readouterr().err
    assert main(["blocks", "blur.py"]) == 2
    assert "give it as --plugin blur.py" in capsys.readouterr().err


def test_a_part_of_a_recipe_is_checked_by_a_training(capsys):
    assert main(["blocks", "--check", "lion"]) == 2
    said = capsys.readouterr().err
    assert "lion is an optimizer, and only branches and fusions have contract tests; a " in said
    assert "training checks it: python search.py run --recipe.optimizer lion --dry-run" in said


def test_a_good_branch_keeps_the_contract(write_plugin, capsys):
    assert check_plugins([str(write_plugin("average"))]) == 0
    out = capsys.readouterr().out
    assert out.count("holds") == 12
    assert "fails" not in out


def test_a_fusion_of_three_is_tested_with_three(write_plugin, capsys, monkeypatch):
    all_names, few = registry.names, ["conv", "mdta", "w_msa"]  # of dozens of branches
    monkeypatch.setattr(
        registry, "names", lambda kind: few if kind == "branch" else all_names(kind)
    )
    assert check_plugins([str(write_plugin("trio", THREE))]) == 0
    assert "fails" not in capsys.readouterr().out


def test_branches_are_tested_with_a_users_fusion_of_three(write_plugin):
    for path in (write_plugin("trio", THREE), write_plugin("average")):
        registry.add_plugin(path)
    words = [parse(word) for word in words_with("branch", "average")]
    assert [len(w.branches) for w in words if w.joined_by.name == "trio"] == [3]


def test_a_branch_that_breaks_the_contract_is_told_where(write_plugin, capsys):
    path = write_plugin("average")
    text = path.read_text().replace("return linear(", "return linear(2 * ")
    path.write_text(text.replace("return x.mean", "return 1 / x.mean"))
    assert check_plugins([str(path)]) == 1
    out = capsys.readouterr().out
    assert "fails  costs what it says" in out
    assert "cost() says Cost(" in out
    assert "fails  survives zeros" in out
    assert "NaN or infinity for an image of zeros" in out
    assert "holds  saves and loads" in out


def test_a_wrong_cost_is_one_failure(write_plugin, capsys):
    path = write_plugin("average")
    path.write_text(path.read_text().replace("return linear(", "return linear(2 * "))
    assert check_plugins([str(path)]) == 1
    out = capsys.readouterr().out
    assert out.count("fails") == 1 and "fails  costs what it says" in out


def test_a_cost_that_is_wrong_with_oblong_windows_alone_is_told_there(write_plugin, capsys):
    path = write_plugin("average")
    once = "return linear((2 - (window_size in (4, (4, 4)))) * "
    path.write_text(path.read_text().replace("return linear(", once))
    assert check_plugins([str(path)]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert out.count("fails ") == 1 and "fails takes oblong windows" in out
    assert "with a window of two sides, (2, 4): cost() says Cost(" in out


def test_one_reason_is_told_once(write_plugin, capsys):
    path = write_plugin("average")
    path.write_text(path.read_text().replace("return x.mean", "raise RuntimeError('no'); x.mean"))
    assert check_plugins([str(path)]) == 1
    out = capsys.readouterr().out
    assert out.count("fails") > 5 and out.count("RuntimeError: no") <= 2
    assert "fails  remembers nothing (for the same reason as: keeps shape)" in out


def test_a_branch_that_takes_square_windows_only_is_told(write_plugin, capsys):
    path = write_plugin("average")
    path.write_text(path.read_text().replace("super()", "self.half = window_size // 2; super()"))
    assert check_plugins([str(path)]) == 1
    out = capsys.readouterr().out
    assert out.count("holds") == 11 and "fails  takes oblong windows" in out
    told = " ".join(out.split())
    assert "with a window of two sides, (2, 4): plug-in 'average' fails with window_size" in told
    assert "it may take one number only: choose windows of equal sides, or let it" in told


def test_only_branches_and_fusions_can_be_checked(write_plugin):
    with pytest.raises(InputError, match="give its name, or your own file by --plugin FILE"):
        check_plugins([])
    source = write_plugin(
        "noise", 'class Noise(Source):\n    """Noise."""\n    def __init__(self): pass\n'
    )
    with pytest.raises(InputError, match="only branches and fusions have contract tests"):
        check_plugins([str(source)])
