"""How a study is mirrored to Weights & Biases, as typed data (no wandb import)."""

import netrc
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from hybrid_swin.errors import InputError

DEFAULT_PROJECT = "hybrid-swin"
_NOT_IN_NAMES = "/\\#?%:"  # W&B's own rules, as its limits
_MOST_NAME, _MOST_TAG = 128, 64
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
        """Raise InputError for a name that W&B takes nowhere. Environment variables are W&B's."""
        for name, value in (
            ("project", self.project),
            ("entity", self.entity),
            ("group", self.group),
        ):
            strange = sorted(set(value or "") & set(_NOT_IN_NAMES))
            if value is not None and (not value.strip() or len(value) > _MOST_NAME):
                raise InputError(
                    f"wandb.{name} must have 1 to {_MOST_NAME} characters; got {value!r}"
                )
            if name != "group" and strange:
                raise InputError(
                    f"wandb.{name} {value!r} holds {' '.join(strange)}, which W&B does not take"
                )
        for tag in self.tags:
            if not 0 < len(tag) <= _MOST_TAG:
                raise InputError(f"wandb.tags have 1 to {_MOST_TAG} characters each; got {tag!r}")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read from the ``wandb`` section of ``settings.yaml``; unknown keys are ignored."""
        known = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        return cls(**{**known, "tags": tuple(known.get("tags") or ())})


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
        dir=Path(settings.dir or get("WANDB_DIR") or study_folder).expanduser(),
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
