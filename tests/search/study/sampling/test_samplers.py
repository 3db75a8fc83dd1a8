"""Which sampler is chosen and why, the grid, and what draws cost as a study grows."""

import dataclasses

import optuna
import pytest

from hybrid_swin.errors import InputError
from search.settings.study import (
    BudgetSettings,
    RungSettings,
    SamplerSettings,
    StudyObjective,
    StudySettings,
)
from search.space.space import Space
from search.study.sampling.sampler_view import MOST_SHOWN, REFUSED, SamplerView
from search.study.sampling.samplers import (
    Samplers,
    choose_sampler,
    distributions,
    grid_point,
    neighbour,
)

VARIANT = {
    "image_size": 8,
    "in_channels": 1,
    "num_classes": 10,
    "patch_size": 2,
    "window_size": 2,
    "mlp_ratio": {"from": 1, "to": 3, "step": 1},
    "stages": [
        {"width": {"choose": [16, 24, 32]}, "depth": 1, "num_heads": 4, "blocks": "w_msa"},
    ],
}
ENDLESS = {"learning_rate": {"from": 1e-4, "to": 1e-2, "log": True}}
STEPS = {"learning_rate": {"from": 0.001, "to": 0.01, "step": 0.001}}


def study(trials=50, recipe=STEPS, rungs=0, **sampler):
    return StudySettings(
        variant=VARIANT,
        recipe=recipe,
        trials=trials,
        rungs=RungSettings(first=rungs),
        sampler=SamplerSettings(**sampler),
    )


def space_of(settings):
    return Space(settings.variant, settings.recipe)


@pytest.mark.parametrize(
    ("settings", "name", "why"),
    [
        (study(90), "grid", "all 90 combinations"),
        (study(89), "gp", "needs the fewest"),
        (study(90, ENDLESS), "gp", "90 trials that all run to their end"),
        (
            dataclasses.replace(study(90, ENDLESS), budget=BudgetSettings(macs="1M")),
            "tpe",
            "from draws that the budget refuses",
        ),
        (study(50, rungs=2), "tpe", "from trials that a rung stopped"),
        (study(500, ENDLESS), "tpe", "many for a Gaussian process"),
        (study(50, lookahead=16), "tpe", "16 trials under way at once"),
        (study(90, name="nsga2"), "nsga2", "as asked"),
        (study(50, rungs=2, startup_trials=50), "tpe", "after the first 50 trials only"),
        (study(50, startup_trials=60), "gp", "after the first 60 trials only"),
    ],
)
def test_auto_says_what_it_takes_and_why(settings, name, why):
    chosen, reason = choose_sampler(settings, space_of(settings))
    assert chosen == name
    assert why in reason


def test_a_grid_without_end_is_refused():
    settings = study(recipe=ENDLESS, name="grid")
    with pytest.raises(InputError, match=r"recipe\.learning_rate has no end of values"):
        choose_sampler(settings, space_of(settings))


def test_a_grid_that_nobody_ends_is_refused():
    fine = {"learning_rate": {"from": 0.000001, "to": 0.2, "step": 0.000001}}
    settings = study(recipe=fine, name="grid")
    with pytest.raises(InputError, match="1,800,000 combinations are more than anyone trains"):
        choose_sampler(settings, space_of(settings))


def test_the_grid_has_every_point_once_and_begins_all_over_it():
    space = space_of(study())
    assert space.size == 90
    for seed in (0, 7):
        points = [grid_point(space, number, seed) for number in range(90)]
        assert len({tuple(point.items()) for point in points}) == 90
        early = points[:9]
        assert len({point["recipe.learning_rate"] for point in early}) >= 5
    assert grid_point(space, 0, 0) != grid_point(space, 0, 7)
    values = {point["recipe.learning_rate"] for point in points}
    assert sorted(values) == pytest.approx([0.001 * step for step in range(1, 11)])


def test_a_neighbour_differs_in_one_parameter():
    space = distributions(space_of(study()))
    point = {"mlp_ratio": 2, "stages.0.width": 24, "recipe.learning_rate": 0.004}
    changed = []
    for seed in range(200):
        other = neighbour(space, point, seed)
        [path] = [path for path in point if other[path] != point[path]]
        changed.append(path)
        assert other == neighbour(space, point, seed)
    assert all(40 < changed.count(path) < 95 for path in point)


def test_known_candidates_are_left_by_steps():
    settings = study(name="tpe")
    samplers = Samplers("tpe", settings, space_of(settings))
    point = {"mlp_ratio": 2, "stages.0.width": 24, "recipe.learning_rate": 0.004}
    kinds = [type(samplers.make(9, 9, 99, refused, point)).__name__ for refused in range(30)]
    assert kinds == ["Flat"] * 2 + ["PartialFixedSampler"] * 22 + ["RandomSampler"] * 6
    # What costs too much teaches the sampler, which is asked again.
    assert type(samplers.make(9, 9, 99, 5, None)).__name__ == "Flat"


@pytest.mark.parametrize("name", ["tpe", "gp", "nsga2"])
def test_where_there_is_nothing_to_choose_the_walk_stands(name):
    plain = {**VARIANT, "mlp_ratio": 2, "stages": [{**VARIANT["stages"][0], "width": 16}]}
    settings = dataclasses.replace(study(recipe={}, name=name), variant=plain)
    assert not space_of(settings).parameters
    samplers = Samplers(name, settings, space_of(settings))
    for refused in range(30):
        samplers.make(refused, refused, 99, refused, {})


def test_draws_that_were_refused_do_not_end_the_random_start():
    settings = study(name="tpe", startup_trials=5)
    samplers = Samplers("tpe", settings, space_of(settings))
    kinds = [type(samplers.make(40, 9, learnt)).__name__ for learnt in range(7)]
    assert kinds == ["RandomSampler"] * 5 + ["Flat"] * 2


@pytest.mark.filterwarnings("error")
def test_what_is_good_is_a_tenth_of_the_trials_however_many_draws_were_refused():
    one = study(name="tpe")
    several = dataclasses.replace(one, objective=StudyObjective(against=("macs",)))
    for settings, good in ((one, (1, 4, 25, 25)), (several, (1, 4, 50, 100))):
        samplers = Samplers("tpe", settings, space_of(settings))
        made = [samplers.make(5000, 9, learnt) for learnt in (10, 40, 500, 5000)]
        assert tuple(sampler._inner._gamma(5000) for sampler in made) == good


def test_every_proposal_of_a_genetic_search_can_become_a_parent():
    settings = study(name="nsga2")
    samplers, memory = (
        Samplers("nsga2", settings, space_of(settings)),
        SamplerView(["max"], True),
    )
    point = {"mlp_ratio": 2, "stages.0.width": 24, "recipe.learning_rate": 0.004}
    for number, refused in enumerate([0, 5, 25]):
        trial = memory.ask(samplers.make(number, number, 0, refused, point if refused else None))
        space_of(settings).suggest(trial)
    generations = [memory.frozen(n).system_attrs["NSGAIISampler:generation"] for n in range(3)]
    assert generations == [0, 0, 0]


# What samplers see


def test_of_many_trials_the_best_and_the_latest_are_shown():
    memory = SamplerView(["max"], sees_all=False)
    whole = SamplerView(["max"], sees_all=True)
    for number in range(MOST_SHOWN + 500):
        for each in (memory, whole):
            trial = optuna.trial.create_trial(value=float(number == 3), params={}, distributions={})
            each.restore(trial, known=True)
    shown = memory._study.get_trials(deepcopy=False)
    assert len(shown) == MOST_SHOWN
    assert shown[0].number == 0 and 3 in [t.number for t in shown[:100]]
    assert [t.number for t in shown[100:]] == list(range(600, MOST_SHOWN + 500))
    assert len(whole._study.get_trials(deepcopy=False)) == MOST_SHOWN + 500


def test_of_several_objectives_the_front_and_the_latest_are_shown():
    memory = SamplerView(["max", "min"], sees_all=False)
    for number in range(MOST_SHOWN + 200):
        values = [float(number == 3), float(number != 5)]
        trial = optuna.trial.create_trial(values=values, params={}, distributions={})
        memory.restore(trial, known=True)
        if number == MOST_SHOWN + 50:
            assert memory._study.get_trials(deepcopy=False)[0].number == 3  # grown since
    shown = [t.number for t in memory._study.get_trials(deepcopy=False)]
    assert shown == [3, 5, *range(300, MOST_SHOWN + 200)]


def test_a_trial_that_ended_late_is_shown_as_if_it_had_not():
    memory = SamplerView(["max"], sees_all=False)
    for number in range(MOST_SHOWN + 300):
        trial = optuna.trial.create_trial(value=float(number), params={}, distributions={})
        memory.restore(trial, known=number != 7)
    before = [t.number for t in memory._study.get_trials(deepcopy=False)]
    assert before[:7] == list(range(7)) and 399 not in before
    done = optuna.trial.create_trial(value=7.0, params={}, distributions={})
    done.number = 7
    memory.learn(done.number, done)
    shown = [t.number for t in memory._study.get_trials(deepcopy=False)]
    assert shown == [*range(300, 400), *range(400, MOST_SHOWN + 300)]


# The Gaussian process


def gaussian():
    settings = study(name="gp", recipe=ENDLESS, startup_trials=3)
    return Samplers("gp", settings, space_of(settings)), space_of(settings)


def fill(memory, samplers, space, count):
    for number in range(count):
        trial = memory.ask(samplers.make(number, number, number))
        params = space.suggest(trial)
        frozen = memory.frozen(number)
        score = -abs(params["recipe.learning_rate"] - 0.003)
        done = optuna.trial.create_trial(
            value=score, params=frozen.params, distributions=frozen.distributions
        )
        done.number = number
        memory.learn(done.number, done)


def test_a_gaussian_process_finds_more_than_chance():
    samplers, space = gaussian()
    memory = SamplerView(["max"], sees_all=False)
    fill(memory, samplers, space, 14)
    late = [memory.frozen(n).params["recipe.learning_rate"] for n in range(8, 14)]
    assert min(abs(rate - 0.003) for rate in late) < 0.0005


def test_it_has_one_thread_and_leaves_the_others_as_they_were(monkeypatch):
    import torch

    threads, inside = torch.get_num_threads(), []
    propose = optuna.samplers.GPSampler.sample_relative

    def counted(*arguments):
        inside.append(torch.get_num_threads())
        return propose(*arguments)

    monkeypatch.setattr(optuna.samplers.GPSampler, "sample_relative", counted)
    torch.set_num_threads(2)
    try:
        samplers, space = gaussian()
        fill(SamplerView(["max"], sees_all=False), samplers, space, 5)
        assert inside == [1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_what_was_refused_just_now_is_not_proposed_again():
    samplers, space = gaussian()
    memory = SamplerView(["max"], sees_all=False)
    fill(memory, samplers, space, 6)
    proposed = []
    for number in range(6, 9):
        trial = memory.ask(samplers.make(number, 0, 6))
        proposed.append(space.suggest(trial)["recipe.learning_rate"])
        trial.set_user_attr(REFUSED, "known")
        memory.end(number, optuna.trial.TrialState.FAIL)
    assert len({round(rate, 6) for rate in proposed}) == 3
