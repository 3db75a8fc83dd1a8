"""How a study's networks start: checked before any work, and said before the first training."""

import itertools

from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.recipe_checks import check_anew
from hybrid_swin.spec.variant import Variant
from search.launch.hardly_meant import some_candidates
from search.launch.starts.first_weights import how_normalised
from search.launch.starts.shares import check_some_fit, starts_of, starts_text
from search.settings.study import StudySettings
from search.space.space import Space
from search.study.candidates import Candidates

_DRAWS_TO_FIT = 8


def check_start(settings: StudySettings, space: Space, candidates: Candidates) -> None:
    """Raise InputError where no network takes the first weights, or recipes miss them."""
    baselines = [Recipe.from_dict(spec.recipe or {}) for spec in candidates.baselines]
    some = some_candidates(space, settings.seed)
    if candidates.first.file:
        of_baselines = (Variant.from_dict(spec.variant or {}) for spec in candidates.baselines)
        drawn = (variant for variant, _ in some[:_DRAWS_TO_FIT])
        check_some_fit(itertools.chain(of_baselines, drawn), candidates.first)
        return
    for recipe in (*baselines, *(recipe for _, recipe in some)):
        check_anew(recipe)


def start_lines(settings: StudySettings, candidates: Candidates) -> list[str]:
    """What of the baselines starts fresh, and how images are normalised; empty without weights."""
    first = candidates.first
    if not first.file:
        return []
    named = {spec.label: Variant.from_dict(spec.variant or {}) for spec in candidates.baselines}
    return [
        f"start      {first.file}; {how_normalised(settings, first)}",
        *(f"           {line}" for line in starts_text(starts_of(named, first))),
    ]
