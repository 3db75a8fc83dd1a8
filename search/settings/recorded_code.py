"""Configs that the program wrote itself: the code that they name runs only if trusted.

A receipt, a study's ``settings.yaml`` and whatever else lies in a study's folder may have come from
elsewhere. A config of the user's own, named on the command line, is the user's word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry
from hybrid_swin.spec.own_code.kept_plugins import check_hash, recorded_hashes, study_of
from hybrid_swin.spec.own_code.module_sources import check_data_code, class_paths_in
from hybrid_swin.spec.own_code.trust import unasked


@dataclass(frozen=True)
class CommandLine:
    """What this command line says of code."""

    plugins: tuple[str, ...] = ()  # files that it names
    whole_list: bool = False  # whether it gives all plug-ins, instead of those of the configs
    # data modules that it names; they stand in the place of the config's own
    class_paths: tuple[str, ...] = ()
    trust: bool = False  # whether it trusts what the configs name


def settle_code(
    settings: dict[str, Any], whole: Mapping[str, Any], file: Path, command_line: CommandLine
) -> None:
    """Replace the plug-ins of a recorded config by the files that may run; own ones stay.

    ``settings`` are those in the config, and are changed; ``whole`` is all of its content. Raises
    InputError for code that nobody asked to run, that is not as recorded, or that is not there.
    """
    receipt = whole.get("settings") is settings
    study = study_of(file.parent)
    if not receipt and study is None and "schema_version" not in whole:
        return
    recorded = recorded_hashes(study) if study else {}
    listed = whole.get("plugins") if receipt else None
    if isinstance(listed, dict):
        recorded = {str(name): str(source) for name, source in listed.items()}
    named = {Path(plugin).name for plugin in command_line.plugins}
    for plugin in command_line.plugins:
        if Path(plugin).is_file():
            check_hash(Path(plugin), recorded, repr(file.name))
    plugins = settings.get("plugins")
    plugins = [plugins] if isinstance(plugins, str) else plugins
    if isinstance(plugins, list):
        others = [p for p in plugins if isinstance(p, str) and Path(p).name not in named]
        settings["plugins"] = []
        if not command_line.whole_list:
            settings["plugins"] = _trusted(others, recorded, file, command_line.trust)
    modules = whole.get("modules") if receipt else None
    if not isinstance(modules, dict):
        modules = recorded_hashes(study, "modules") if study else {}
    _check_data(settings, {str(k): str(v) for k, v in modules.items()}, file, command_line)


def _trusted(plugins: list[str], recorded: Mapping[str, str], file: Path, trust: bool) -> list[str]:
    paths = [_find(plugin, recorded, file) for plugin in plugins]
    if paths and not trust:
        raise unasked({path: registry.source_hash(path) for path in paths}, f"{file.name!r}")
    return [str(path) for path in paths]


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


def _check_data(
    settings: Mapping[str, Any], recorded: Mapping[str, str], file: Path, command_line: CommandLine
) -> None:
    """Refuse data modules that nobody asked to run, or that are not as recorded."""
    data = settings.get("data")
    own = command_line.class_paths
    others = {**settings, "data": None} if own and isinstance(data, dict) else settings
    class_paths = class_paths_in(others)
    for path in dict.fromkeys([*class_paths, *own]):
        asked_for = command_line.trust or path in own
        check_data_code(path, recorded, repr(file.name), asked_for)
