"""What a YAML file describes: a study, a comparison or a variant, told by its settings."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.options import SETTINGS_FILES
from hybrid_swin.system.yaml_files import read_yaml
from search.settings.comparison import ComparisonSettings
from search.settings.config_files import read_config
from search.settings.study import StudySettings


@dataclass(frozen=True)
class ConfigKind:
    """What a file may describe."""

    name: str  # how messages call it
    settings: type  # the dataclass whose fields stand in the file
    folder: str  # where bundled files of this kind are, below ``configs/``
    use: str  # what to do with a file, whose name stands for ``{}``
    call: str  # what to do with settings that are not a file

    def known(self, keys: Iterable[object]) -> list[object]:
        """Those of the keys that are settings of this kind."""
        names = {f.name for f in fields(self.settings)}
        return [key for key in keys if key in names]


_VARIANT = ConfigKind(
    "variant",
    Variant,
    "variants",
    "`cost {}` says what it costs; in a study it stands below variant:",
    "in a study it stands below variant",
)
_KINDS = (
    ConfigKind(
        "study",
        StudySettings,
        "search",
        "`space {}` looks at it, `run --config {}` runs it",
        "`search.run_study` runs it",
    ),
    ConfigKind(
        "comparison",
        ComparisonSettings,
        "compare",
        "`compare --config {}` runs it",
        "`search.compare` runs it",
    ),
    _VARIANT,
)
_EXPERIMENTS = _KINDS[:2]


def kind_of(settings: type) -> ConfigKind:
    """The kind of file that holds these settings."""
    return next(kind for kind in _KINDS if kind.settings is settings)


def check_kind(keys: Iterable[object], wanted: ConfigKind, file: str | None, what: str) -> None:
    """Refuse a file of another kind: one that has more of the keys at its top than the one wanted.

    ``file`` is None for settings of a Python program; messages call them ``what``. Raises
    InputError if it describes another kind.
    """
    keys = list(keys)
    match = max((wanted, *_KINDS), key=lambda kind: len(kind.known(keys)))
    if match is not wanted:
        strange = next(key for key in match.known(keys) if key not in wanted.known(keys))
        raise InputError(
            f"{what} describes a {match.name}, for {strange!r} is not a setting of a "
            f"{wanted.name}; " + (match.call if file is None else match.use.replace("{}", file))
        )


def settings_in(file: str) -> type:
    """The dataclass whose settings stand in a config; a study's if that cannot be told.

    It may be a receipt, or bundled and named alone.
    """
    content: dict[str, Any] = {}
    for kind in reversed(_EXPERIMENTS):
        with suppress(InputError):
            content = read_config(file, kind.folder)
    return max(_EXPERIMENTS, key=lambda one: len(one.known(content))).settings


def use_of(file: str) -> str:
    """What to do with a YAML file that was given as if it were a command; empty for others.

    Of a file that cannot be read, what to do with a study's.
    """
    if not file.endswith(SETTINGS_FILES):
        return ""
    content = None
    with suppress(InputError):
        content = read_yaml(file, file)
    keys = content if isinstance(content, dict) else ()
    kind = max(_KINDS, key=lambda one: len(one.known(keys)))
    return kind.use.replace("{}", file)


def read_variant(file: str) -> Variant:
    """The variant in a file.

    Raises InputError if it cannot be read, or is that of a study or a comparison.
    """
    content = read_yaml(file, f"variant file {file!r}")
    if isinstance(content, dict):
        check_kind(content, _VARIANT, file, f"file {file!r}")
    return Variant.from_yaml(file)
