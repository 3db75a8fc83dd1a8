"""docs/settings.md says of every setting what its docstring says."""

from dataclasses import fields
from pathlib import Path

from hybrid_swin.system.options import explained_fields
from search.settings import reference_page
from search.settings.reference_page import _SECTIONS, page

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_committed_page_is_up_to_date():
    command = "python -m search.settings.reference_page docs/settings.md"
    assert PAGE.read_text(encoding="utf-8") == page(), f"run: {command}"


def test_every_setting_is_described():
    for title, prefix, owner in _SECTIONS:
        missing = [f.name for f in fields(owner) if not explained_fields(owner).get(f.name)]
        assert not missing, (title, prefix, missing)


def test_types_and_defaults_are_those_of_the_program():
    text = page()
    assert "| `sampler.name` | `auto`, `tpe`, `gp`, `nsga2`, `random`, `grid` | `auto` |" in text
    assert "| `finalists.seeds` | whole number or list of whole numbers | `3` |" in text
    assert "| `variant.stages[].width` | whole number | required |" in text
    assert "| `kernel`: `3`, `5`, `7`, `9`, `11` (default `3`) |" in text
    assert "| `npz` | `data.options.path` | text | required | the .npz file. |" in text


def test_it_writes_the_file_that_is_named(tmp_path, capsys):
    reference_page.main([str(tmp_path / "page.md")])
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == page()
    reference_page.main([])
    assert capsys.readouterr().out == page()
