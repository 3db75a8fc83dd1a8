"""First weights before any work starts: the file, its rules of windows, and its normalisation."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.filling.following import followed
from hybrid_swin.interop.weights.filling.fresh import planned
from hybrid_swin.interop.weights.source.files import find_checkpoint
from hybrid_swin.interop.weights.source.kept import KeptWeights, kept_weights
from hybrid_swin.spec import registry
from hybrid_swin.spec.variant import Variant
from search.records.first_weights import ANEW, FirstWeights
from search.records.runs import has_begun
from search.records.study_file import read_study_file
from search.settings.experiment import ExperimentSettings
from search.space.space import Space

Settings = TypeVar("Settings", bound=ExperimentSettings)
Follow = Callable[[Variant], Variant]


def find_first_weights(settings: ExperimentSettings) -> FirstWeights:
    """The file that ``init`` means, read and hashed; `ANEW` without ``init``.

    Raises InputError for a file that cannot be used, or one of another layout than is given.
    """
    init = settings.first_weights
    if init is None:
        return ANEW
    for plugin in settings.plugins:  # of which the network in the file may consist
        registry.add_plugin(plugin)
    file = str(find_checkpoint(init.weights).resolve())
    kept = kept_weights(file, init.prefix)
    if init.layout not in ("auto", kept.source.layout):
        raise InputError(
            f"init.layout {init.layout!r}, but {kept.source.name} has the names of "
            f"{kept.source.layout}; give layout: auto, or the file that you mean"
        )
    return FirstWeights(file, kept.hash, init.prefix)


def kept(first: FirstWeights) -> KeptWeights:
    """The weights, read once in this process."""
    return kept_weights(first.file, first.prefix)


def normalised_as_weights(settings: Settings) -> Settings:
    """The settings with ``data.mean`` and ``data.std`` of the weights' training, if these count.

    What has begun to train keeps what it began with, also where it began before weights had a say.
    Raises InputError as ``find_first_weights``.
    """
    init, data = settings.first_weights, settings.data
    if init is None or data.mean is not None or data.class_path is not None:
        return settings
    if has_begun(settings.path):
        begun = ((read_study_file(settings.path, []) or {}).get("settings") or {}).get("data") or {}
        if begun.get("mean") is None:
            return settings
        return replace(settings, data=replace(data, mean=begun["mean"], std=begun.get("std")))
    images = kept(find_first_weights(settings)).images
    if init.normalise == "images" or images is None:
        return settings
    images = images.of_channels(_channels(settings))
    return replace(settings, data=replace(data, mean=images.mean, std=images.std))


def _channels(settings: ExperimentSettings) -> int:
    space = Space(settings.variant, settings.recipe)
    return space.resolve(space.default())[0].in_channels


def how_normalised(settings: ExperimentSettings, first: FirstWeights) -> str:
    """By what images are normalised, beside what the weights expect, in words."""
    data, images = settings.data, kept(first).images
    if data.class_path is not None:
        return "images are normalised by your data module" + _expected(images)
    if data.mean is None:
        return "images are normalised by their own train split" + _expected(images)
    numbers = " and ".join(", ".join(f"{x:.3g}" for x in v) for v in (data.mean, data.std or ()))
    ours = images is not None and tuple(data.mean) == images.of_channels(len(data.mean)).mean
    whose = f" ({images.basis})" if images is not None and ours else _expected(images)
    return f"images are normalised by mean and std {numbers}{whose}"


def _expected(images: Any) -> str:
    if images is None:
        return ", since the file does not say how those of its training were"
    return f"; those of the weights' training had mean {', '.join(f'{x:.3g}' for x in images.mean)}"


def follower(settings: ExperimentSettings, first: FirstWeights) -> Follow | None:
    """Gives a network's words the weights' library's rules of windows, if that is asked for.

    Nothing is filled: shapes alone tell which attentions take weights.
    """
    init = settings.first_weights
    if init is None or not init.follow_source:
        return None
    known: dict[Variant, Variant] = {}

    def follow(variant: Variant) -> Variant:
        if variant not in known:
            source = kept(first).source
            _, plan = planned(variant, source)
            known[variant] = followed(variant, plan.attentions, source)[0]
        return known[variant]

    return follow


def about_first_weights(settings: ExperimentSettings, first: FirstWeights) -> dict[str, Any]:
    """What the receipt says of them."""
    init = settings.first_weights
    about = {"weights": init and init.weights, "weights_prefix": first.prefix, "hash": first.hash}
    how = {"normalised": how_normalised(settings, first)} if first.file else {}
    return {"init": about | how}
