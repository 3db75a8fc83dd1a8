"""Whether a comparison asks what its published differences are about."""

from collections.abc import Mapping, Sequence
from typing import Any

from hybrid_swin.errors import InputError, quote, unknown
from search.comparison.design.factors import short_names
from search.comparison.design.matched_arms import PlannedArm
from search.settings.claims import ClaimSettings
from search.settings.comparison import ComparisonSettings


def check_claims(settings: ComparisonSettings, entries: Sequence[PlannedArm]) -> None:
    """Refuse a published difference that no difference of the comparison can be set beside.

    Raises:
        InputError: an arm, factor or level that is not there, or two arms that are not compared.
    """
    for claim in settings.published:
        _check_place(claim, settings.factors)
        mine = [e for e in entries if e.arm == claim.arm and holds_at(claim, e.cell.levels)]
        if not mine:
            raise unknown("arm in published", claim.arm, {entry.arm for entry in entries})
        others = [
            name for e in mine for name in (e.against, *e.controls.values()) if name is not None
        ]
        if not others:
            raise InputError(
                f"published: arm {claim.arm!r} is what others are compared with; give the other "
                "arm, and difference the other sign"
            )
        if claim.against and claim.against not in others:
            raise unknown(f"published.against for arm {claim.arm!r}", claim.against, set(others))


def holds_at(claim: ClaimSettings, levels: Mapping[str, Any]) -> bool:
    """Whether a claim is judged in the cell with these levels."""
    return all(_plain(levels.get(name)) == _plain(level) for name, level in claim.at.items())


def _check_place(claim: ClaimSettings, factors: Mapping[str, Sequence[Any]]) -> None:
    for name, level in claim.at.items():
        if name not in factors:
            short = {end: factor for factor, end in short_names(factors).items()}
            hint = f"; did you mean {short[name]!r}?" if name in short else ""
            if hint or not factors:
                raise InputError(
                    f"published.at of arm {claim.arm!r} names {name!r}, which is not a factor of "
                    f"this comparison{hint or '; leave at out'}"
                )
            raise unknown(f"factor in published.at of arm {claim.arm!r}", name, factors)
        if not any(_plain(level) == _plain(known) for known in factors[name]):
            raise InputError(
                f"published.at.{name} of arm {claim.arm!r} is {quote(level)}, which is not one of "
                f"its levels: {', '.join(quote(known) for known in factors[name])}"
            )


def _plain(level: Any) -> Any:
    """A level to be compared: lists and tuples are alike, and true is not 1."""
    if isinstance(level, list | tuple):
        return [_plain(item) for item in level]
    if isinstance(level, Mapping):
        return {key: _plain(value) for key, value in level.items()}
    return (isinstance(level, bool), level)
