"""What networks and recipes of a study ask for that is hardly meant, as far as draws show it."""

import itertools
from contextlib import suppress

from hybrid_swin.cost.at_test_size import notes_at_test_size
from hybrid_swin.errors import InputError
from hybrid_swin.spec.augmentation_checks import augmentation_notes
from hybrid_swin.spec.idle_fields import idle_fields
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.recipe_checks import fit_notes
from hybrid_swin.spec.variant import Variant
from search.space.space import Space
from search.study.candidates import Candidates
from search.study.sampling.samplers import sample_params

_DRAWS = 50


def hardly_meant(space: Space, candidates: Candidates, seed: int, images: int | None) -> list[str]:
    """A sentence each. ``images`` are those of an epoch, if known."""
    networks, recipes = zip(*some_candidates(space, seed), strict=True)
    baselines = [Variant.from_dict(spec.variant or {}) for spec in candidates.baselines]
    return [
        *idle_fields([*networks, *baselines]),
        *fit_notes(recipes, images),
        *augmentation_notes(networks[0], recipes),
        *notes_at_test_size(networks[0], recipes),
    ]


def some_candidates(space: Space, seed: int) -> list[tuple[Variant, Recipe]]:
    """The first network and recipe of a space, and others as far as draws show them."""
    candidates = [space.resolve(space.default())]
    for params in itertools.islice(sample_params(space, seed), _DRAWS):
        with suppress(InputError):  # of a network that cannot be
            candidates.append(space.resolve(params))
    return candidates
