import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.network.contract import words_with
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import (
    BlockWord,
    Part,
    arguments_of,
    gate_of,
    parse,
    without_idle_fusion,
)

ORDERED = '''
class Chain(Fusion):
    """One after the other."""

    ordered = True
    max_branches = 2

    def __init__(self, dim, num_heads, makers):
        pass
'''


def same(*words):
    return len({str(parse(word).canonical()) for word in words}) == 1


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("w_msa:gate", "w_msa"),
        ("conv(kernel=5) : split(ratio=1-3)", "conv(kernel=5) "),
        ("w_msa+mdta:gate", "w_msa+mdta:gate"),
        ("w_msa", "w_msa"),
        ("w_msa:", "w_msa:"),
        ("+:gate", "+:gate"),
        ("w_msa:split(gate=none;ratio=1-3)", "w_msa"),
        ("w_msa:split(gate=se;ratio=1-3)", "w_msa:sum(gate=se)"),  # the gate is not idle
    ],
)
def test_a_fusion_behind_one_branch_is_left_out(text, kept):
    assert without_idle_fusion(text) == kept


@pytest.mark.parametrize(
    ("text", "message"),
    [("w_msa:gaet", "fusion 'gaet'.*'gate'"), ("w_msa:split(rato=1-3)", "'rato'.*'ratio'")],
)
def test_a_fusion_that_is_left_out_must_exist(text, message):
    with pytest.raises(InputError, match=message):
        without_idle_fusion(text)


@pytest.mark.parametrize(
    "text",
    [
        "+".join(["w_msa"] * 10_000),
        f"w_msa+mdta:split(ratio={'-'.join('1' * 10_000)})",
        "w_msa" + " " * 1000,
    ],
)
def test_a_word_that_no_block_can_have_is_not_read(text):
    message = f"block word 'w_msa.* has {len(text):,} characters; give at most 1,000"
    with pytest.raises(InputError, match=message):
        parse(text)


def test_a_word_is_its_parts():
    assert parse("conv(kernel=7)+w_msa:gate(per=pixel)") == BlockWord(
        (Part("conv", (("kernel", 7),)), Part("w_msa")), Part("gate", (("per", "pixel"),))
    )
    assert parse("mdta").branches == (Part("mdta"),)
    assert parse("mdta").fusion is None
    assert parse("w_msa+mdta").fusion is None  # as the user wrote it


def test_options_are_typed_by_the_part_that_takes_them():
    assert parse("mdta(depthwise=false; attention = true)").branches[0].kwargs == {
        "depthwise": False,
        "attention": True,
    }
    ratio = parse("pointwise(ratio=2)").branches[0].kwargs["ratio"]
    assert (ratio, type(ratio)) == (2.0, float)
    kernel = parse("conv(kernel=7.0)").branches[0].kwargs["kernel"]
    assert (kernel, type(kernel)) == (7, int)


def test_white_space_does_not_matter():
    spaced = parse("  conv ( kernel = 7 )\n + w_msa : gate ( per = pixel ) ")
    assert spaced == parse("conv(kernel=7)+w_msa:gate(per=pixel)")


WORDS = sorted(
    {
        "mdta(attention=false;depthwise=false)",
        "w_msa+conv(kernel=11):scale(init=1e+2)",
        "w_msa+conv:scale(init=1000)",
        "w_msa+conv:scale(init=1e-7)",
        "conv+w_msa+mdta:split(ratio=1-2-3)",
        *(w for name in registry.names("branch") for w in words_with("branch", name)),
        *(w for name in registry.names("fusion") for w in words_with("fusion", name)),
    }
)


def test_a_gate_behind_a_fusion_is_a_part_of_the_word():
    assert same("w_msa+mdta", "mdta+w_msa:sum(gate=none)")
    assert same("w_msa+mdta:sum(gate=se)", "mdta+w_msa:sum(gate=se)")
    assert not same("w_msa+mdta", "w_msa+mdta:sum(gate=se)")
    assert not same("w_msa", "w_msa:sum(gate=se)")
    assert parse("w_msa:sum(gate=se)").spelled() == "w_msa:sum(gate=se)"
    assert gate_of(parse("w_msa+mdta:split(gate=eca)").joined_by) == "eca"
    assert gate_of(parse("w_msa+mdta").joined_by) == "none"


def test_a_plugin_with_an_option_of_that_name_keeps_its_own(tmp_path):
    file = tmp_path / "latched.py"
    file.write_text(
        "class Latched(Fusion):\n"
        "    def __init__(self, dim, num_heads, makers, gate: int = 3) -> None: ...\n"
    )
    registry.add_plugin(file)
    fusion = parse("w_msa+conv:latched(gate=5)").joined_by
    assert arguments_of("fusion", fusion) == {"gate": 5} and gate_of(fusion) == "none"
    registry.forget_plugin(file)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_survives_being_spelt(word):
    parsed = parse(word)
    assert parse(str(parsed)) == parsed
    canonical = parsed.canonical()
    assert parse(str(canonical)).canonical() == canonical
    assert str(canonical).isascii() and " " not in str(canonical)


GRAMMAR = [
    "+w_msa",
    "w_msa+",
    "w_msa++mdta",
    ":sum",
    "w_msa+mdta:",
    "w_msa+mdta:sum:gate",
    "w_msa+mdta:sum+conv",
    "w_msa mdta",
    "w_msa,mdta",
    "w_msa-mdta",
    "w_msa(",
    "w_msa)",
    "conv(kernel=3",
    "conv(kernel=(3))",
    "conv((kernel=3))",
    "conv(kernel=3)(kernel=5)",
    "(w_msa)",
    "3conv",
    "W_MSA",
    "_w_msa",
    "w_msa;mdta",
    "conv[kernel=3]",
]


@pytest.mark.parametrize("word", GRAMMAR)
def test_what_the_grammar_does_not_know_is_refused(word):
    with pytest.raises(InputError, match=r"cannot be read from .* on; write branch.branch:fusion"):
        parse(word)


@pytest.mark.parametrize("item", ["", "kernel", "kernel=", "=3", "kernel=a b", "kernel==3", ";"])
def test_what_is_no_option_is_refused(item):
    with pytest.raises(InputError, match="is not an option; write key=value"):
        parse(f"conv({item})")


@pytest.mark.parametrize("word", ["", "   ", None, 3, ["w_msa"], {"w_msa": 1}, True, 2.5, b"conv"])
def test_what_is_no_word_is_refused(word):
    with pytest.raises(InputError, match="a block is a word such as 'w_msa'"):
        parse(word)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("w_mas", "unknown branch 'w_mas'; did you mean 'w_msa'.*branches: .*conv, "),
        ("w_msa+mdta:gat", "unknown fusion 'gat'; did you mean 'gate'.*fusions: cascade, concat, "),
        ("w_msa+sum", "unknown branch 'sum'"),
        ("w_msa+mdta:conv", "unknown fusion 'conv'"),
        ("conv(kernal=3)", "unknown option of conv 'kernal'; did you mean 'kernel'"),
        ("w_msa(kernel=3)", "unknown option of w_msa 'kernel' .*: attention, bias, mask_padding"),
        ("conv(kernel=4)", "conv: option kernel=4 is not possible; give one of 3, 5, 7, 9, 11"),
        ("conv(kernel=true)", "conv: option kernel=true is not possible"),
        ("mdta(depthwise=1)", "mdta: option depthwise=1 is not possible; give true or false"),
        ("mdta(depthwise=yes)", "option depthwise=yes is not possible"),
        ("pointwise(ratio=big)", "pointwise: option ratio=big is not possible; give a number"),
        ("pointwise(ratio=nan)", "option ratio=nan is not possible"),
        ("pointwise(ratio=inf)", "option ratio=inf is not possible"),
        ("pointwise(ratio=" + "9" * 400 + ")", "is not possible; give a number"),
        ("pointwise(ratio=" + "9" * 900 + ")", "is not possible; give a number"),
        ("w_msa+mdta:gate(per=row)", "gate: option per=row is not possible; give one of channel, "),
        ("conv(kernel=3;kernel=5)", "option 'kernel' is given twice"),
        ("mdta(depthwise=true,attention=false)", "separate options by ';', not by ','"),
        ("w_msa:gate", "fusion 'gate' joins at least 2 branches, the word has 1"),
        ("w_msa:split(gate=se)", r"the word has 1; behind one branch write .* :sum\(gate=se\)"),
        ("w_msa+conv:sum(gate=sa)", "gate=sa is not possible; give one of none, se, eca, grn"),
        ("w_msa+größe", "must be plain ASCII"),
        ("w_msa\N{FULLWIDTH PLUS SIGN}mdta", "must be plain ASCII"),
        ("conv+pointwise:cross", "none of these has values to gate; join one of .*mdta, .*w_msa"),
        ("conv+mdta+w_msa:cross", "'cross' joins exactly 2 branches, the word has 3"),
        ("conv+w_msa:cross(norm=group)", "norm=group is not possible; give one of layer, batch"),
        ("conv+w_msa:scale(init=inf)", "init=inf is not possible; give a number"),
        ("w_msa+mdta:split(ratio=1-2-3)", "ratio=1-2-3 does not fit 2 branches; .*ratio=1-2"),
        ("w_msa+mdta+conv:split(ratio=1-2)", "does not fit 3 branches; .*ratio=1-2-3"),
        ("w_msa+mdta:split(ratio=0-1)", "ratio=0-1 does not fit"),
        ("w_msa+mdta:split(ratio=half)", "ratio=half does not fit"),
        ("w_msa+mdta:split(ratio=1.5-1)", "ratio=1.5-1 does not fit"),
        ("w_msa+mdta:split(ratio=-1-2)", "ratio=-1-2 does not fit"),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(word, message):
    with pytest.raises(InputError, match=message):
        parse(word)


def test_an_unquoted_comma_in_yaml_is_refused_not_misread():
    import yaml

    words = yaml.safe_load("[mdta(depthwise=false,attention=false)]")
    assert len(words) == 2
    for word in words:
        with pytest.raises(InputError):
            parse(word)


def test_defaults_do_not_make_another_word():
    assert same("conv(kernel=3)+w_msa:gate(per=channel)", "conv+w_msa:gate")
    assert same("mdta(depthwise=true)", "mdta", "mdta(attention=true;depthwise=true)")
    assert same("pointwise(ratio=2)", "pointwise(ratio=2.0)", "pointwise")
    assert same("conv+w_msa:split(ratio=equal)", "conv+w_msa:split")
    assert same("w_msa+mdta", "w_msa+mdta:sum")
    assert not same("conv(kernel=5)", "conv")


def test_the_order_of_options_does_not_matter():
    assert same("mdta(depthwise=false;attention=false)", "mdta(attention=false;depthwise=false)")


def test_the_order_of_branches_does_not_matter():
    for fusion in ("sum", "gate", "concat", "split"):
        assert same(f"w_msa+mdta+conv:{fusion}", f"mdta+conv+w_msa:{fusion}")
    assert same("conv(kernel=5)+conv", "conv+conv(kernel=5)")


def test_a_ratio_is_sorted_with_its_branches():
    assert same("w_msa+conv:split(ratio=3-1)", "conv+w_msa:split(ratio=1-3)")
    assert not same("w_msa+conv:split(ratio=3-1)", "conv+w_msa:split(ratio=3-1)")
    assert same("w_msa+mdta+conv:split(ratio=3-2-1)", "mdta+conv+w_msa:split(ratio=2-1-3)")
    assert same("conv+conv:split(ratio=3-1)", "conv+conv:split(ratio=1-3)")
    assert same("conv+conv:split(ratio=10-9)", "conv+conv:split(ratio=9-10)")
    canonical = str(parse("w_msa+conv:split(ratio=3-1)").canonical())
    assert canonical == "conv+w_msa:split(ratio=1-3)"


@pytest.mark.parametrize(
    ("word", "spelled"),
    [
        ("mdta+w_msa", "w_msa+mdta"),
        ("conv+mdta+sw_msa:gate", "sw_msa+conv+mdta:gate"),
        ("mdta+w_msa:split(ratio=1-3)", "w_msa+mdta:split(ratio=3-1)"),
        ("mdta+w_msa:cascade", "mdta+w_msa:cascade"),  # whose order matters
        ("conv(kernel=3)", "conv"),
        ("w_msa", "w_msa"),
        ("mdta+w_msa:sum", "w_msa+mdta"),
    ],
)
def test_people_write_windows_first(word, spelled):
    assert parse(word).spelled() == spelled
    assert parse(spelled).canonical() == parse(word).canonical()


def test_the_order_counts_where_the_fusion_says_so(write_plugin):
    assert not same("w_msa+mdta:cascade", "mdta+w_msa:cascade")
    registry.add_plugin(write_plugin("chain", ORDERED))
    assert not same("w_msa+mdta:chain", "mdta+w_msa:chain")
    with pytest.raises(InputError, match="'chain' joins exactly 2 branches, the word has 3"):
        parse("w_msa+mdta+conv:chain")
    path = write_plugin("chain", ORDERED.replace("max_branches = 2", "max_branches = 3"))
    registry.add_plugin(path)
    with pytest.raises(InputError, match="'chain' joins 2 to 3 branches, the word has 4"):
        parse("w_msa+mdta+conv+conv:chain")


def test_a_word_knows_the_sources_of_its_plugins(write_plugin):
    branch = registry.add_plugin(write_plugin("chain", folder="a"))
    fusion = registry.add_plugin(write_plugin("chain", ORDERED, folder="b"))
    assert parse("w_msa+chain:chain").plugin_hashes() == {
        "branch chain": branch.plugin_hash,
        "fusion chain": fusion.plugin_hash,
    }
    assert parse("w_msa+conv:gate").plugin_hashes() == {}


def test_a_built_in_fusion_does_not_hide_a_plugin_of_its_name(write_plugin):
    entry = registry.add_plugin(write_plugin("sum"))
    hashes = parse("w_msa+sum:sum").canonical().plugin_hashes()
    assert hashes == {"branch sum": entry.plugin_hash}


def test_text_options_keep_their_spelling(write_plugin):
    registry.add_plugin(write_plugin("average", options=', code: str = ""'))
    assert parse("average(code=007)").branches[0].kwargs == {"code": "007"}
    assert str(parse("average(code=1e3)")) == "average(code=1e3)"
