import re

from hybrid_swin.errors.plain_text import latex
from search.comparison.report.latex_tables import to_latex
from search.comparison.results.claims import JudgedClaim
from search.settings.claims import ClaimSettings


def test_latex_is_balanced_and_escaped(fake):
    arm = fake.arm("a_b & 100% #1 {x} \\ ~ ^ $y$", fake.versus(0.05))
    bracketed = fake.arm("[t]", fake.versus(0.05, holm_p=1e-9))
    text = to_latex(fake.comparison(fake.arm("base"), arm, bracketed))
    assert (
        r"a\_b \& 100\% \#1 \{x\} \textbackslash{} \textasciitilde{} \textasciicircum{} \$y\$"
        in text
    )
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0]
    rows = [line for line in body.strip().splitlines() if line.endswith(r"\\")]
    columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", text).group(1)
    assert len(rows) == 3
    for row in rows:
        assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1
        assert not re.search(r"(?<!\\)[%#]", row)
    assert r"\textless{}.001" in body
    assert "{}[t]" in body
    assert text.count(r"\begin") == text.count(r"\end") == 1
    for line in text.splitlines():
        assert line.count("{") - line.count(r"\{") == line.count("}") - line.count(r"\}")


def test_latex_rules_between_ways_of_matching(fake):
    arms = [fake.arm("base", matching=matching) for matching in ("macs", "parameters")]
    assert to_latex(fake.comparison(*arms, matchings=("macs", "parameters"))).count("midrule") == 2


def test_what_is_published_and_the_effects_have_tables_below(fake):
    claim = ClaimSettings("A & B, Table 1", "+mdta", difference=1.1, url="https://a.org/1")
    text = to_latex(
        fake.comparison(
            fake.arm("base"),
            fake.arm("+mdta", fake.versus(0.05)),
            published=[
                JudgedClaim(claim, "+mdta against base", "", "macs", "base", 0.05, 0.04, 0.06)
            ],
            effects=[fake.effect(), fake.effect("interaction", -0.03)],
        )
    )
    tables = re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", text, re.DOTALL)
    assert len(tables) == text.count(r"\begin") == 3
    for columns, table in tables:
        rows = [line for line in table.splitlines() if line.endswith(r"\\") and "multi" not in line]
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(columns) - 1}
    assert r"+mdta against base & +1.1 & +5.0 [+4.0, +6.0] & no verdict & A \& B, Table 1" in text
    assert "% A & B, Table 1: https://a.org/1" in text
    assert "recipe=rich instead of recipe=plain & +2.0 [+1.0, +3.0]" in text


def test_escape_latex():
    assert latex("plain (kernel=7)") == "plain (kernel=7)"
    assert latex("a\nb") == "a?b"
    assert latex("*") == "{}*"
