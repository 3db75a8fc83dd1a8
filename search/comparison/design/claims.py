"""Whether a comparison asks what its published differences are about."""

from collections.abc import Mapping, Sequence
from typing import Any

from hybrid_swin.errors import InputError, quote, unknown
from search.comparison.design.factors import have_same_images, short_names, spell_level
from search.comparison.design.matched_arms import PlannedArm
from search.settings.claims import ClaimSettings
from search.settings.comparison import ComparisonSettings


def check_claims(settings: ComparisonSettings, entries: Sequence[PlannedArm]) -> None:
    """Refuse a published difference that no difference of the comparison can be set beside.

    Raises:
        InputError: an arm, factor or level that is not there, or two arms that are not compared.
    """
    for claim in settings.published:
        if claim.factor:
            _check_change(claim, settings.factors)
            _check_images(claim, entries)
            continue
        _check_place(claim, settings.factors)
        mine = [e for e in entries if e.arm == claim.arm and holds_at(claim, e.cell.levels)]
        if not mine:
            raise unknown("arm of published", claim.arm, {entry.arm for entry in entries})
        others = [
            name for e in mine for name in (e.against, *e.controls.values()) if name is not None
        ]
        if not others:
            raise InputError(
                f"published: arm {claim.arm!r} is what others are compared with; give the other "
                "arm, and difference the other sign"
            )
        if claim.against and claim.against not in others:
            raise unknown(f"arm for published.against of {claim.arm!r}", claim.against, set(others))


def _check_change(claim: ClaimSettings, factors: Mapping[str, Sequence[Any]]) -> None:
    """Refuse a change of a factor that is not asked."""
    if claim.factor not in factors:
        raise _unknown(claim, claim.factor, factors)
    first, *others = map(spell_level, factors[claim.factor])
    level = spell_level(claim.level)
    if claim.level is None and level not in others:
        raise InputError(
            f"published: the claim on {claim.subject} gives no level; give the one that it is "
            f"changed to: {', '.join(map(quote, others)) or 'none'}"
        )
    if level not in others:
        raise InputError(
            f"published: level of factor {claim.factor!r} is {quote(level)}; a change is from its "
            f"first level, {quote(first)}, to one of: {', '.join(map(quote, others)) or 'none'}"
        )


def _check_images(claim: ClaimSettings, entries: Sequence[PlannedArm]) -> None:
    """Refuse a change of a factor in a comparison that asks for no effects of factors."""
    if not have_same_images(entry.cell for entry in entries):
        raise InputError(
            f"published: the effect of {claim.subject} cannot be judged, since the cells of this "
            "comparison have different images (a factor changes the data); give the claim to an "
            "arm, or take the data out of factors"
        )


def holds_at(claim: ClaimSettings, levels: Mapping[str, Any]) -> bool:
    """Whether a claim is judged in the cell with these levels."""
    return all(
        name in levels and spell_level(levels[name]) == spell_level(level)
        for name, level in claim.at.items()
    )


def _check_place(claim: ClaimSettings, factors: Mapping[str, Sequence[Any]]) -> None:
    for name, level in claim.at.items():
        if name not in factors:
            raise _unknown(claim, name, factors)
        known = [spell_level(one) for one in factors[name]]
        if spell_level(level) not in known:
            raise InputError(
                f"published.at.{name} of arm {claim.arm!r} is {quote(spell_level(level))}, which "
                f"is not one of its levels: {', '.join(map(quote, known))}"
            )


def _unknown(claim: ClaimSettings, name: str, factors: Mapping[str, Sequence[Any]]) -> InputError:
    """For a factor that is not there; the last part of a path means the path."""
    short = {end: factor for factor, end in short_names(factors).items()}
    if name not in short and factors:
        return unknown(f"factor for published {claim.subject}", name, factors)
    hint = f"; did you mean {short[name]!r}?" if name in short else ", which has none"
    return InputError(
        f"published: {claim.subject} names {name!r}, which is not a factor of this comparison{hint}"
    )
