"""How a study is mirrored to Weights & Biases, as typed data (no wandb import)."""

import netrc
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.errors.plain_text import visible
from hybrid_swin.system.files import expanded

DEFAULT_PROJECT = "hybrid-swin"
_NOT_IN_NAMES = "/\\#?%:"  # W&B's own rules, as its limits
_MOST_NAME, _MOST_TAG = 128, 64
_MODES = ("online", "offline", "disabled", "shared", "dryrun", "run")  # the last two are older
_VARIABLE = "the environment variable "
_DEFAULT_SERVER = "https://api.wandb.ai"


@dataclass(frozen=True)
class WandbSettings:
    """Where the W&B mirror of a study goes; ``WANDB_*`` variables fill in what is left out.

    Args:
        mode: ``auto`` follows ``WANDB_MODE`` where set, else is online only where an API key is
            known (``WANDB_API_KEY`` or netrc), else offline; ``disabled`` writes nothing.
        entity: team or user; left out, ``WANDB_ENTITY`` or the account's default.
        project: left at its default, ``WANDB_PROJECT`` wins.
        group: group of the runs; left out, ``WANDB_RUN_GROUP`` or the study's name.
        tags: tags of every run; left out, ``WANDB_TAGS``.
        dir: folder above ``wandb/``; left out, ``WANDB_DIR`` or the study's folder.
    """

    mode: Literal["auto", "online", "offline", "disabled"] = "auto"
    entity: str | None = None
    project: str = DEFAULT_PROJECT
    group: str | None = None
    tags: tuple[str, ...] = ()
    dir: str | None = None

    def check(self) -> None:
        """Raise InputError for a name that W&B takes nowhere."""
        _check_name("wandb.project", self.project)
        _check_name("wandb.entity", self.entity)
        _check_name("wandb.group", self.group, strange="")
        _check_tags("wandb.tags", self.tags)
        expanded(self.dir or "")


def check_environment(settings: WandbSettings, environment: Mapping[str, str] = os.environ) -> None:
    """Raise InputError for a ``WANDB_*`` variable that a mirror would fail on, before any work."""
    get = environment.get
    mode = get("WANDB_MODE")
    if settings.mode == "auto" and mode and mode not in _MODES:
        raise unknown("value of the environment variable WANDB_MODE", mode, _MODES)
    if _mode(settings, environment) == "disabled":
        return
    if settings.project == DEFAULT_PROJECT:
        _check_name(_VARIABLE + "WANDB_PROJECT", get("WANDB_PROJECT") or None)
    if not settings.entity:
        _check_name(_VARIABLE + "WANDB_ENTITY", get("WANDB_ENTITY") or None)
    if not settings.group:
        _check_name(_VARIABLE + "WANDB_RUN_GROUP", get("WANDB_RUN_GROUP") or None, strange="")
    if not settings.tags:
        _check_tags(_VARIABLE + "WANDB_TAGS", filter(None, get("WANDB_TAGS", "").split(",")))


def _check_name(where: str, name: str | None, strange: str = _NOT_IN_NAMES) -> None:
    if name is None:
        return
    if not name.strip() or len(name) > _MOST_NAME or visible(name) != name:
        raise InputError(
            f"{where} must have 1 to {_MOST_NAME} characters, none of them a control character; "
            f"got {name!r}"
        )
    held = sorted(set(name) & set(strange))
    if held:
        raise InputError(f"{where} {name!r} holds {' '.join(held)}, which W&B does not take")


def _check_tags(where: str, tags: Iterable[str]) -> None:
    for tag in tags:
        if not 0 < len(tag) <= _MOST_TAG or visible(tag) != tag:
            raise InputError(
                f"{where} have 1 to {_MOST_TAG} characters each, none of them a control character; "
                f"got {tag!r}"
            )


@dataclass(frozen=True)
class WandbPlace:
    """Settings and environment, put together: what `wandb.init` is told. Mode is never ``auto``."""

    mode: str
    entity: str | None
    project: str
    group: str
    tags: tuple[str, ...]
    dir: Path


def place(
    settings: WandbSettings,
    study: str,
    study_folder: Path,
    environment: Mapping[str, str] = os.environ,
) -> WandbPlace:
    """Where the mirror of this study goes, in this environment."""
    get = environment.get
    project = settings.project
    if project == DEFAULT_PROJECT:
        project = get("WANDB_PROJECT") or project
    tags = settings.tags or tuple(tag for tag in get("WANDB_TAGS", "").split(",") if tag)
    return WandbPlace(
        mode=_mode(settings, environment),
        entity=settings.entity or get("WANDB_ENTITY") or None,
        project=project,
        group=settings.group or get("WANDB_RUN_GROUP") or study,
        tags=tags,
        dir=expanded(settings.dir or get("WANDB_DIR") or study_folder),
    )


def _mode(settings: WandbSettings, environment: Mapping[str, str]) -> str:
    if settings.mode != "auto":
        return settings.mode
    chosen = environment.get("WANDB_MODE")
    if chosen:
        return {"dryrun": "offline", "run": "online"}.get(chosen, chosen)  # W&B's older words
    known = environment.get("WANDB_API_KEY") or _netrc_has_key(environment)
    return "online" if known else "offline"


def _netrc_has_key(environment: Mapping[str, str]) -> bool:
    """Does netrc name the W&B server? The key itself is W&B's to read."""
    host = urlsplit(environment.get("WANDB_BASE_URL") or _DEFAULT_SERVER).hostname
    home = Path(environment.get("HOME") or Path.home())
    named = environment.get("NETRC")
    for path in [Path(named)] if named else [home / ".netrc", home / "_netrc"]:
        with suppress(OSError, UnicodeError, netrc.NetrcParseError):
            return host in netrc.netrc(path).hosts
    return False
