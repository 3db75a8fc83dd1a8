"""docs/architecture.md names what exists, and all layers in their order."""

import importlib
import re
from pathlib import Path

import pytest

from tests.test_imports import LAYERS, MODULES

PAGE = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`((?:hybrid_swin|search)\.[\w.]+)`", PAGE)))


@pytest.mark.parametrize("name", NAMES)
def test_what_the_page_names_is_defined_there(name):
    module, _, thing = name.rpartition(".")
    assert module in MODULES
    found = getattr(importlib.import_module(module), thing)
    assert getattr(found, "__module__", module) in (module, "builtins")  # of an alias


@pytest.mark.parametrize("package", LAYERS)
def test_the_drawing_has_every_layer_in_its_order(package):
    column = {"search": 1, "hybrid_swin": 3}[package]
    boxes = [re.split("│", line) for line in PAGE.splitlines() if line.startswith("│")]
    cells = [box[column] for box in boxes if len(box) > column]
    drawn = [found[1] for cell in cells if (found := re.match(r" (\w+) ", cell))]
    assert drawn == LAYERS[package][::-1]


def test_a_trial_has_five_forms():
    forms = re.findall(r"^\| (\d) \| `([\w.]+)`", PAGE, re.MULTILINE)
    assert [number for number, _ in forms] == list("12345")
    assert forms[0][1].endswith(".Draw")
    assert forms[-1][1].endswith(".Row")
