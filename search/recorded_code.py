"""Configs that the program wrote itself: the code that they name runs only if trusted.

A receipt, a study's ``settings.yaml`` and whatever else lies in a study's folder may have come from
elsewhere. A config of the user's own, named on the command line, is the user's word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid_swin import registry
from hybrid_swin.errors import InputError
from hybrid_swin.kept_plugins import check_hash, recorded_hashes, study_of
from hybrid_swin.trust import unasked, unasked_data_module

_CLASS_PATH = "data.class_path"


@dataclass(frozen=True)
class CommandLine:
    """What this command line says of code.

    Args:
        plugins: files that it names.
        whole_list: whether it gives all plug-ins, instead of those of the configs.
        class_path: whether it names the data module.
        trust: whether it trusts what the configs name.
    """

    plugins: tuple[str, ...] = ()
    whole_list: bool = False
    class_path: bool = False
    trust: bool = False


def settle_code(
    settings: dict[str, Any], whole: Mapping[str, Any], file: Path, said: CommandLine
) -> None:
    """Replace the plug-ins of a recorded config by the files that may run; own ones stay.

    Args:
        settings: those in the config; changed.
        whole: the config's content.
        file: the config.
        said: by the command line.

    Raises:
        InputError: code that nobody asked to run, that is not as recorded, or that is not there.
    """
    receipt = whole.get("settings") is settings
    study = study_of(file.parent)
    if not receipt and study is None and "schema_version" not in whole:
        return
    recorded = recorded_hashes(study) if study else {}
    listed = whole.get("plugins") if receipt else None
    if isinstance(listed, dict):
        recorded = {str(name): str(found) for name, found in listed.items()}
    named = {Path(plugin).name for plugin in said.plugins}
    for plugin in said.plugins:
        if Path(plugin).is_file():
            check_hash(Path(plugin), recorded, repr(file.name))
    plugins = settings.get("plugins")
    plugins = [plugins] if isinstance(plugins, str) else plugins
    if isinstance(plugins, list):
        others = [p for p in plugins if isinstance(p, str) and Path(p).name not in named]
        settings["plugins"] = []
        if not said.whole_list:
            settings["plugins"] = _trusted(others, recorded, file, said.trust)
    _check_data(settings, file, said)


def _trusted(plugins: list[str], recorded: Mapping[str, str], file: Path, trust: bool) -> list[str]:
    found = [_find(plugin, recorded, file) for plugin in plugins]
    if found and not trust:
        raise unasked({path: registry.source_hash(path) for path in found}, f"{file.name!r}")
    return [str(path) for path in found]


def _find(plugin: str, recorded: Mapping[str, str], file: Path) -> Path:
    """The copy of a plug-in beside its config, else the file where it was."""
    name = Path(plugin).name
    places = (file.parent / "plugins" / name, file.parent / name, Path(plugin))
    try:
        place = next((place for place in places if place.is_file()), None)
    except (OSError, ValueError):  # a name that no system takes
        place = None
    if place is None:
        raise InputError(
            f"plug-in {name[:80]!r}, which {file.name!r} names, is neither beside it nor where it "
            "was; give the file as --plugin FILE"
        )
    check_hash(place, recorded, repr(file.name))
    return place


def _check_data(settings: Mapping[str, Any], file: Path, said: CommandLine) -> None:
    """Refuse a data module, also one among the levels of a comparison's factors."""
    if said.trust or said.class_path:
        return
    data, factors = settings.get("data"), settings.get("factors")
    found = [data.get("class_path")] if isinstance(data, dict) else []
    if isinstance(factors, dict):
        for levels in (factors.get(_CLASS_PATH), factors.get("data")):
            found += levels if isinstance(levels, list) else []
    named = next((class_path for class_path in found if class_path), None)
    if named is not None:
        raise unasked_data_module(str(named), repr(file.name))
