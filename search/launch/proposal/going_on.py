"""`--images` on a study that has begun: it goes on with its own images and preset only."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError, quote
from hybrid_swin.spec.run_reference import began_in
from hybrid_swin.system.files import expanded
from search.launch.proposal.begin_file import BEGIN_FILE
from search.records.proposal import read_proposal
from search.settings.experiment import ExperimentSettings
from search.settings.reading import read_config_as


def check_same_proposal(
    base: ExperimentSettings, images: str, preset: str | None, word: str
) -> None:
    """Refuse to go on with other images, or with another preset, than a study was begun with.

    Args:
        base: has the name and folder of the begun study or comparison.
        images: what `--images` names now.
        preset: what `--preset` names now; None if it is not given.
        word: what it is, a study or a comparison.

    Raises:
        InputError: these are other images, or it is another preset.
    """
    what, place = f"{word} {base.name!r}", expanded(images).resolve()
    known = read_proposal(base.path)
    begun = read_config_as(str(base.path / BEGIN_FILE), type(base))
    named = _named_in(begun.data.options)
    reads = Path(named).expanduser().resolve()
    if known and not known.is_of(place, base.path):
        raise _others(what, known.images, place)
    if reads != place:
        home = began_in(base.path)
        if known is None and (not home or (Path(home) / named).resolve() != place):
            raise _others(what, str(reads), place)
        raise InputError(
            f"{what} calls its images {quote(named, 80)}, as seen from the folder where it was "
            f"begun; go there to go on: cd {quote(home, 100)[1:-1]}"
        )
    if preset is None or (known and preset == known.preset):
        return
    if known:
        raise InputError(
            f"{what} was begun with --preset {known.preset}, not {preset}; leave --preset out to "
            "go on, or give another --name to begin anew"
        )
    raise InputError(
        f"{what} was begun by an earlier version, which did not write its preset down; leave "
        "--preset out to go on, or give another --name to begin anew"
    )


def _named_in(options: Mapping[str, Any]) -> str:
    return str(options.get("csv") or options.get("path") or "")


def _others(what: str, before: str, now: Path) -> InputError:
    return InputError(
        f"{what} is of {quote(before, 110)}; give another --name for {quote(str(now), 110)}"
    )
