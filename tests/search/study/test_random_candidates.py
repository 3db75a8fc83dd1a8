"""Candidates by chance, where few fit and where few are left."""

import dataclasses
import itertools

import pytest

from search.settings.study import BudgetSettings, StudySettings
from search.space.space import Space
from search.study.candidates import Candidates
from search.study.random_candidates import RandomCandidates
from search.study.sampling.samplers import sample_params

WIDTHS = {"from": 4, "to": 64, "step": 4}


def variant(width):
    """Two stages of these widths."""
    return {
        "image_size": 8,
        "in_channels": 1,
        "num_classes": 10,
        "patch_size": 2,
        "window_size": 2,
        "mlp_ratio": {"choose": [1.0, 2.0, 3.0, 4.0]},
        "stages": [
            {"width": width, "depth": 1, "num_heads": 2, "blocks": ["w_msa"]} for _ in range(2)
        ],
    }


def chance(macs=None, width=WIDTHS, rate=None):
    """Random candidates, with what they are drawn from."""
    rate = rate or {"from": 0.001, "to": 0.01, "log": True}
    recipe = {"epochs": 4, "learning_rate": rate}
    settings = StudySettings(variant=variant(width), recipe=recipe)
    space = Space(settings.variant, settings.recipe)
    settings = dataclasses.replace(settings, budget=BudgetSettings(macs=macs))
    candidates = Candidates(settings, space)
    return RandomCandidates(settings, space, candidates), candidates, space


def costs(runs):
    return [spec.recipe["epochs"] * spec.cost["macs"] for spec in runs]


@pytest.fixture(scope="module")
def one_in_two_hundred():
    """A limit of MACs that few networks meet."""
    _, candidates, space = chance()
    params = itertools.islice(sample_params(space, 1), 1000)
    return sorted(candidates.look_at(p).cost["macs"] for p in params)[4]


def test_the_search_spends_what_it_shall_where_few_fit(one_in_two_hundred):
    randoms, *_ = chance(one_in_two_hundred)
    spend = 8 * 4 * one_in_two_hundred
    runs = list(randoms.search(spend))
    assert sum(costs(runs)) >= spend > sum(costs(runs[:-1]))
    assert all(spec.cost["macs"] <= one_in_two_hundred for spec in runs)
    assert len({spec.candidate_id for spec in runs}) == len(runs)


def test_a_space_that_is_used_up_is_looked_at_once(monkeypatch):
    randoms, candidates, space = chance(width={"choose": [8, 16]}, rate={"choose": [0.001, 0.01]})
    looked, look_at = [], candidates.look_at
    monkeypatch.setattr(candidates, "look_at", lambda p: looked.append(p) or look_at(p))
    runs = list(randoms.search(float("inf")))
    assert len(runs) == len(looked) == space.size


def test_means_are_of_different_candidates_and_more_of_them_change_none():
    randoms, *_ = chance()
    few, more = list(randoms.finals(3)), list(randoms.finals(5))
    assert more[:3] == few
    assert len({spec.candidate_id for spec in more}) == 5
