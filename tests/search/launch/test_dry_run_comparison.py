"""What a rehearsal says of a comparison; no pilot is trained here."""

import io
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from hybrid_swin.system.console import Console
from search.launch import dry_run_comparison as dry_run
from search.launch.comparison import check, notes_of, say_other_cells
from search.launch.hours import pilots as hours
from search.launch.hours.pace import Pace
from search.settings.comparison import ArmSettings, ComparisonSettings
from search.settings.given import resolve_settings


@pytest.fixture
def rehearsed(monkeypatch, tmp_path, fake):
    """What a rehearsal prints, and its answer for programs; no pilot is timed."""
    pace, idle = (
        Pace(0.1, 1e-3, 1e-10, 1.0, 5.0, 2),
        SimpleNamespace(slots=2, wait_until_ready=lambda timeout=0: True),
    )
    monkeypatch.setattr(hours, "start_workers", lambda *_: nullcontext(idle))
    monkeypatch.setattr(hours.PilotWorkers, "pace", lambda *_: pace)

    def rehearse(**given):
        text = io.StringIO()
        asked = fake.settings(folder=str(tmp_path), **given)
        answer = dry_run.rehearse(asked, Console(file=text, width=1000))
        return text.getvalue(), answer

    return rehearse


def test_a_plugin_that_no_arm_uses_is_said(rehearsed, write_plugin):
    plugins = [str(write_plugin("pool"))]
    text, _ = rehearsed(plugins=plugins)
    assert "plug-in pool.py: no block uses its word `pool`; add it to the arms" in text
    used, _ = rehearsed(plugins=plugins, arms=(ArmSettings(), ArmSettings(add="pool")))
    assert "plug-in pool.py" not in used


def test_the_cost_of_a_larger_test_image_is_said():
    def notes(side):
        changes = {"recipe.test_image_size": side}
        asked, _ = resolve_settings(ComparisonSettings, "digits", changes, "digits")
        return notes_of(check(asked)[0])

    assert notes(8) == []
    (note,) = notes(16)
    assert note.startswith("recipe.test_image_size 16: ") and "4.00 x" in note


def test_what_presets_set_besides_is_said(rehearsed):
    presets = {"recipe.preset": ["quick", "small_images"]}
    text, answer = rehearsed(factors=presets, recipe={}, learning_rates=())
    assert "recipes    cells differ in epochs, " in text and "learning_rate, weight_decay" in text
    assert any(note.startswith("recipes: cells differ in epochs") for note in answer["notes"])
    assert "these are the images of all 2 cells" in text
    assert "cells differ in" not in rehearsed(factors={"recipe.epochs": [8, 10]})[0]


def test_other_cells_and_what_of_them_is_left_out_are_said():
    def said(*others, first=()):
        text = io.StringIO()
        cells = {"reach=3": dict(first)} | {f"cell {n}": one for n, one in enumerate(others)}
        say_other_cells(cells, Console(file=text, width=1000))
        return text.getvalue().strip()

    assert said() == ""
    alike, other = {"data_hash": "a", "split_hash": "b"}, {"data_hash": "a", "split_hash": "c"}
    assert said(alike, first=alike) == "these are the images of all 2 cells"
    assert said(alike, other, first=alike) == (
        "these are the images of reach=3; 1 of 2 other cells have their own"
    )
    assert said({}) == "these are the images of reach=3; the other cell has its own"
    assert said({}, {"left_out": ["a.png"]}) == (
        "these are the images of reach=3; each of 2 other cells has its own (1 file left out)"
    )
