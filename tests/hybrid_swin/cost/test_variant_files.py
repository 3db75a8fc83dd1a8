"""configs/variants/*.yaml are what published.py says: settings, parameters and MACs, as text."""

import pytest

from hybrid_swin.cost import count_cost
from hybrid_swin.cost.variant_files import FOLDER, file_text, write_files
from hybrid_swin.spec.published import names, published
from hybrid_swin.spec.variant import Variant


@pytest.mark.parametrize("name", names())
def test_a_file_says_what_the_table_says(name):
    said = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    assert said == file_text(name), "run: python -m hybrid_swin.cost.variant_files"
    assert Variant.from_yaml(FOLDER / f"{name}.yaml") == published(name)


@pytest.mark.parametrize("name", names())
def test_a_file_begins_with_its_source_and_its_cost(name):
    head = [line for line in file_text(name).splitlines() if line.startswith("# ")]
    cost, text = count_cost(published(name)), " ".join(head)
    assert head[0].startswith(f"# {name}: ")
    assert f"{cost.parameters:,} parameters; {cost.macs:,} MACs" in text
    assert all(len(line) <= 100 for line in head)


def test_there_is_a_file_for_every_name_and_no_other():
    assert sorted(file.stem for file in FOLDER.glob("*.yaml")) == names()


def test_files_are_written_and_old_ones_removed(tmp_path):
    (tmp_path / "old.yaml").write_text("gone")
    (tmp_path / "notes.txt").write_text("kept")
    write_files(tmp_path)
    assert sorted(file.stem for file in tmp_path.glob("*.yaml")) == names()
    assert (tmp_path / "swin_t.yaml").read_text() == file_text("swin_t")
    assert (tmp_path / "notes.txt").exists()
