"""A proposal as the settings of a study or a comparison, in the order in which they are read."""

from typing import Any

from search.launch.proposal.choice import Choice, rungs_of, sampler_of
from search.launch.proposal.images import ImageCounts, ImageSizes
from search.launch.proposal.network import BASELINES, PLAIN
from search.launch.proposal.presets import Preset
from search.launch.proposal.recipe import Schedule, learning_rate, recipe

_MOST_HELD_OUT = 5000  # images of a drawn validation or test split
_SHARES = {"validation_share": 0.15, "test_share": 0.2}


def data_of(sizes: ImageSizes, images: int = 0, epoch_images: int = 0) -> dict[str, Any]:
    """The data's settings: 15% validation and 20% test of the free images, at most 5,000 each.

    A share of right answers among 5,000 images has a standard error of at most 0.7 points; more of
    them would only take time from training.

    Args:
        sizes: the images.
        images: how many there are.
        epoch_images: images of an epoch; 0 for all.
    """
    held = {
        name: float(f"{_MOST_HELD_OUT / images:.2g}")
        for name, share in _SHARES.items()
        if images * share > _MOST_HELD_OUT
    }
    data: dict[str, Any] = {"source": sizes.source, "options": dict(sizes.options), **held}
    return data | ({"epoch_images": epoch_images} if epoch_images else {})


def study_content(
    name: str,
    sizes: ImageSizes,
    counts: ImageCounts,
    choice: Choice,
    preset: Preset,
    slots: int,
) -> dict[str, Any]:
    """A study's settings on so many workers. The first learning rate is that of baselines."""
    plan, network = choice.schedule(counts.train), choice.network
    rate = learning_rate(plan.batch)
    rungs = rungs_of(plan.epochs, preset)
    sampler = sampler_of(choice.trials, slots, preset)
    return {
        "name": name,
        "seed": 0,
        "data": _data(sizes, counts, plan),
        "variant": network.plain() | {"stages": network.stages()},
        "recipe": recipe(network, plan, {"choose": [rate, rate / 2, rate * 2]}),
        "budget": {"macs": network.most_macs},
        "baselines": [dict(baseline) for baseline in BASELINES],
        "trials": choice.trials,
        "sampler": {
            "startup_trials": sampler.startup_trials,
            "lookahead": sampler.lookahead,
            "random_search": sampler.random_search,
        },
        "rungs": {"first": rungs.first, "factor": rungs.factor, "audit": rungs.audit},
        "finalists": {"top": preset.top, "seeds": choice.seeds, "random": preset.random},
    }


def comparison_content(
    name: str, sizes: ImageSizes, counts: ImageCounts, choice: Choice, preset: Preset
) -> dict[str, Any]:
    """A comparison's settings: the network, and beside its mixers mdta, conv and their controls.

    Arms are not named: these are those of a comparison that names none (`default_arms`).
    """
    plan, network = choice.schedule(counts.train), choice.network
    rate = learning_rate(plan.batch)
    rates = [rate * times for times in preset.learning_rates]
    choose = {"learning_rates": rates, "choose_rate": "per_seed"} if len(rates) > 1 else {}
    stages = [
        {key: stage[key] for key in ("width", "depth", "num_heads")} | {"blocks": list(PLAIN)}
        for stage in network.variant().to_dict()["stages"]
    ]
    return {
        "name": name,
        "seed": 0,
        "data": _data(sizes, counts, plan),
        "variant": network.plain() | {"stages": stages},
        "recipe": recipe(network, plan, rate),
        "match": {"by": ["macs"], "tolerance": 0.02},
        **choose,
        "seeds": choice.seeds,
    }


def _data(sizes: ImageSizes, counts: ImageCounts, plan: Schedule) -> dict[str, Any]:
    images = counts.train + counts.validation + counts.test
    return data_of(sizes, images, 0 if plan.whole else plan.epoch_images)
