"""The picture of the README shows the recorded numbers."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from benchmarks import findings_figure  # noqa: E402

FINDINGS = (ROOT / "docs" / "findings" / "digits.md").read_text(encoding="utf-8")


def test_differences_and_intervals_are_those_of_the_table():
    table = FINDINGS.partition("matched by MACs")[2].partition("matched by parameters")[0]
    found = findings_figure.recorded()
    assert found.family == 44
    sides = [v for r in found.results for v in (r.versus, *r.controls)]
    assert len(sides) == 7
    for side in sides:
        ends = [0.0 if abs(x) < 5e-4 else x for x in (side.difference, side.low, side.high)]
        mean, low, high = (f"{100 * x:+.1f}" for x in ends)
        assert f"{mean} [{low}, {high}]" in table
    assert [s.verdict for s in sides].count("better") == 5


def test_the_committed_picture_is_drawn_by_the_command(tmp_path, monkeypatch):
    file = tmp_path / "again.svg"
    findings_figure.save_differences(findings_figure.recorded(), file)
    shapes = re.compile(r' d="([^"]+)"')
    committed = findings_figure.PICTURE.read_text(encoding="utf-8")
    assert shapes.findall(file.read_text(encoding="utf-8")) == shapes.findall(committed)
