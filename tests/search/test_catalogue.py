import pytest

from hybrid_swin import registry
from hybrid_swin.block_words import parse
from hybrid_swin.contract import words_with
from hybrid_swin.cost import count_cost
from hybrid_swin.errors import InputError
from hybrid_swin.published import published
from search.catalogue import check_plugins, print_catalogue, print_costs

THREE = '''
from functools import reduce
from operator import add

from torch import nn

from hybrid_swin.cost import Cost
from hybrid_swin.fusions import Fusion, silence


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
    assert print_catalogue([str(path)]) == 0
    out = capsys.readouterr().out
    for expected in ("w_msa", "mdta", "conv", "gate", "split", "digits", "folder"):
        assert f"\n{expected} " in out
    assert "kernel=3 (one of 3, 5, 7, 9, 11)" in out
    assert "depthwise=true; attention=true" in out
    assert "path=required" in out
    assert "average (plug-in)" in out and "Mean [of] the map." in out and "rate=0.5" in out


def test_a_good_branch_keeps_the_contract(write_plugin, capsys):
    assert check_plugins([str(write_plugin("average"))]) == 0
    out = capsys.readouterr().out
    assert out.count("holds") == 10
    assert "fails" not in out


def test_a_fusion_of_three_is_tested_with_three(write_plugin, capsys):
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


def test_only_plugins_can_be_checked(write_plugin):
    with pytest.raises(InputError, match="name at least one with --plugin FILE"):
        check_plugins([])
    source = write_plugin(
        "noise", 'class Noise(Source):\n    """Noise."""\n    def __init__(self): pass\n'
    )
    with pytest.raises(InputError, match="only branches and fusions have contract tests"):
        check_plugins([str(source)])


def test_costs_stand_side_by_side(tmp_path, write_plugin, capsys):
    mine = tmp_path / "mine.yaml"
    mine.write_text(published("swin_s").to_yaml())
    plugin = str(write_plugin("average"))
    assert print_costs(["swin_t", str(mine), "w_msa+mdta:gate", "average"], [plugin]) == 0
    out = capsys.readouterr().out
    assert f"{count_cost(published('swin_t')).parameters:,}" in out
    assert "49,606,258" in out
    assert "w_msa+mdta:gate" in out
    assert published("swin_t").id in out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("swin_tt", "unknown variant or branch 'swin_tt'; did you mean 'swin_t'"),
        ("w_mas", "unknown variant or branch 'w_mas'; did you mean 'w_msa'"),
        ("w_msa+mtda", "unknown branch 'mtda'; did you mean 'mdta'"),
        ("w_msa+mdta:gat", "unknown fusion 'gat'"),
        ("none.yaml", "variant file 'none.yaml' cannot be read"),
        ("conv(kernel=4)", "option kernel=4 is not possible"),
    ],
)
def test_what_has_no_cost_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        print_costs([name], [])
