"""A trained network from its checkpoint: variant, weights, and what images it has learned from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hybrid_swin.errors import InputError, quote
from hybrid_swin.interop.weights.load_save import load_weights
from hybrid_swin.interop.weights.source.files import WeightFile, read_weights
from hybrid_swin.interop.weights.source.own_variant import hub_facts, own_pool, own_variant
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.network.network_facts import NetworkFacts, as_cfg
from hybrid_swin.network.pretrained_cfg import Normalisation
from hybrid_swin.network.pyramid import Pyramid
from hybrid_swin.spec.run_reference import (
    STARTS,
    is_study,
    names_run,
    run_start,
    study_winner,
)
from hybrid_swin.spec.variant import Variant


class Trained(NamedTuple):
    """A network in evaluation mode, and what is known of the images it has learned from."""

    model: HybridSwin
    normalisation: Normalisation | None
    class_names: tuple[str, ...] | None
    identity: Mapping[str, Any]  # of its images, as ``same_images.data_identity`` gives it


def load(path: str | Path, drop_path_rate: float = 0.0) -> HybridSwin | Pyramid:
    """A trained network with its weights, in evaluation mode on the CPU, in float32.

    ``model.classes`` names them, if they have names; ``model.mean`` and ``model.std`` are those by
    which its images were normalised (plain attributes, set here, of pixels from 0 to 1).

    It pools, prunes and gives maps as the network that was saved, and starts anew
    (``init_weights``) as that did. Its ``pretrained_cfg`` holds what it knows of its images:
    ``input_size``, ``mean`` and ``std`` (of pixels from 0 to 1), ``full_scale``, ``value_range``
    and ``resize`` as its source named them, ``crop_pct``, ``crop_mode`` and ``interpolation`` in
    timm's words, and ``label_names`` if its classes have names.

    Args:
        path: the folder of a training (of ``python -m hybrid_swin fit``, or one run of a study), a
            study (of which it takes the first row's network), the checkpoint in a folder, or a
            ``.safetensors`` file of ``save_weights`` or ``export``.
        drop_path_rate: stochastic depth of the last block, for training on.

    Raises:
        InputError: no such file, a damaged one, or one that does not say which variant it is of.
    """
    return _load(path, drop_path_rate)[0]


def load_trained(path: str | Path) -> Trained:
    """The same with what the checkpoint knows of the images.

    Raises:
        InputError: likewise; or a network that gives maps of stages instead of logits.
    """
    model, file = _load(path)
    if not isinstance(model, HybridSwin):
        raise InputError(
            f"{file.name} is of a network that gives maps of stages (features_only), not logits; "
            "give that of a network with a head"
        )
    cfg, content = model.pretrained_cfg, file.content.get("identity")
    identity = content if isinstance(content, Mapping) else {}
    return Trained(model, Normalisation.from_dict(cfg), cfg.get("label_names"), identity)


def _load(path: str | Path, drop_path_rate: float = 0.0) -> tuple[HybridSwin | Pyramid, WeightFile]:
    if isinstance(path, str | Path) and is_study(Path(path)):
        path = study_winner(Path(path))[0]
    file = read_weights(path)
    variant, facts = _variant(file), _network(file)
    try:
        model = facts.build(variant, drop_path_rate)
    except InputError as error:
        raise InputError(f"{file.name}: {error}") from error
    report = load_weights(model, path)
    resized = [change.name for change in report.resized]
    wrong = [*report.fresh, *resized, *report.unused, *report.left_out]
    if wrong:
        raise InputError(f"{file.name} does not hold the weights of its own variant: {wrong[0]}")
    model.pretrained_cfg = model.pretrained_cfg | _cfg(file)
    for name in ("mean", "std"):
        if not hasattr(model, name):
            setattr(model, name, tuple(model.pretrained_cfg[name]))
    model.eval()
    return model, file


def load_variant(path: str | Path) -> Variant:
    """The variant of a trained network alone. Raises InputError as ``load`` does."""
    return _variant(read_weights(path))


def load_facts(path: str | Path) -> NetworkFacts:
    """What a trained network is beside its variant, of a run also before it has ended.

    Raises InputError as ``load`` does.
    """
    if names_run(path):
        return NetworkFacts.from_dict(run_start(path))
    return _network(read_weights(path))


def _variant(file: WeightFile) -> Variant:
    """The variant in a file. Raises InputError if there is none, or if a plug-in is missing."""
    try:
        variant = own_variant(file)
    except InputError as error:
        raise InputError(
            f"{file.name}: {error}; if a block is your own, give its file as a plug-in"
        ) from error
    if variant is None:
        raise InputError(
            f"{file.name} does not say which variant it is of; build it by create_model and fill "
            "it by load_weights"
        )
    return variant


def _network(file: WeightFile) -> NetworkFacts:
    """What a file says of its network beside the variant; older files say nothing.

    A training's network has what a recipe says, and all else as a variant alone has it.
    """
    hyper_parameters: Any = file.content.get("hyper_parameters")
    facts = _text(file, "network")
    if isinstance(hyper_parameters, Mapping):
        recipe: Any = hyper_parameters.get("recipe")
        recipe = recipe if isinstance(recipe, Mapping) else {}
        facts = {name: recipe[name] for name in STARTS if name in recipe}
    elif facts is None:
        facts = own_pool(file)
    try:
        return NetworkFacts.from_dict({} if facts is None else facts)
    except InputError as error:
        raise InputError(f"{file.name}: {error}") from error


def _cfg(file: WeightFile) -> dict[str, Any]:
    """What a file says of images and classes, as ``pretrained_cfg`` has it."""
    data: Any = file.content.get("data")
    if data is None:
        content = _text(file, "pretrained_cfg")
        if content is not None:
            return _own_cfg(content, file)
        data = {"images": _text(file, "input"), "class_names": _text(file, "classes")}
    try:
        images = Normalisation.from_dict(data.get("images", data) or {})
        names = data.get("class_names")
        cfg = _own_cfg(hub_facts(file), file) | ({} if images is None else images.to_cfg())
        return cfg if names is None else cfg | {"label_names": tuple(names)}
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"{file.name} is damaged in what it says of its images") from error


def _own_cfg(content: Any, file: WeightFile) -> dict[str, Any]:
    """Our own ``pretrained_cfg``, read. Raises InputError where mean and std are not numbers."""
    try:
        cfg: dict[str, Any] = {**as_cfg(content)}
        Normalisation.from_dict(cfg)
        for name in ("mean", "std"):
            sum(map(float, cfg.get(name, ())))
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise InputError(
            f"{file.name} is damaged in its 'pretrained_cfg', {quote(content)}; save it again"
        ) from error
    cfg.pop("architecture", None)  # by which timm could make the network that was saved
    return cfg


def _text(file: WeightFile, name: str) -> Any:
    """A text beside the weights of safetensors, read. Raises InputError if it is not JSON."""
    try:
        return json.loads(file.metadata.get(name, "null"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file.name} is damaged: its {name!r} is not JSON") from error
