"""A few of the faults of `benchmarks.chaos`, each at a moment of its own."""

import random
from dataclasses import replace

import pytest

from benchmarks.chaos import Chaos
from benchmarks.chaos_doors import Doors
from benchmarks.chaos_faults import faults
from benchmarks.chaos_places import places
from benchmarks.chaos_plugins import plugin_faults

pytestmark = pytest.mark.cluster  # minutes
STRUCK = [
    ("local", "optuna.journal damaged while it runs"),
    ("agents", "what an agent says damaged while it runs"),
    ("local", "a plug-in that calls os._exit(0)"),
]


@pytest.fixture(scope="module")
def chaos(doors, tmp_path_factory):
    return Chaos(tmp_path_factory.mktemp("chaos"), Doors(True, doors.server))


@pytest.mark.parametrize(("where", "name"), STRUCK)
def test_a_study_comes_to_the_same_end_whatever_happens_to_it(chaos, where, name):
    known = {fault.name: fault for fault in [*faults(False, False), *plugin_faults()]}
    outcome = chaos.strike(
        STRUCK.index((where, name)), known[name], places()[where], random.Random(name)
    )
    assert not outcome.complaints, outcome.line
    assert outcome.starts >= 2 and "MISSED" not in outcome.detail


def test_harm_is_seen(chaos):
    """A study that was told another seed than the undisturbed one is not taken for the same."""
    known = {fault.name: fault for fault in faults(False, False)}
    harmful = replace(known["kill -9 of all"], changes=lambda root: {"seed": 1})
    outcome = chaos.strike(len(STRUCK), harmful, places()["local"], random.Random(0))
    assert any("digest" in text for text in outcome.complaints)
    assert any("another result" in text for text in outcome.complaints)
