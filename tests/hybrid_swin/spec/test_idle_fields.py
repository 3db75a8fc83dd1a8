"""Fields that change nothing beside a network's blocks are noted, and do not change its id."""

from dataclasses import replace

import pytest

from hybrid_swin.spec.idle_fields import idle_fields
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant


def network(*words, stages=1, **fields):
    stage = Stage(8, len(words), 2, words)
    return Variant(image_size=16, stages=(stage,) * stages, **fields)


@pytest.mark.parametrize(
    ("idle", "plain", "said"),
    [
        (
            network("conv", "mdta", registers=4),
            network("conv", "mdta"),
            "registers 4 changes nothing: of the blocks only grid, overlap, sw_msa, w_msa take",
        ),
        (network("conv", merging="conv"), network("conv"), "merging conv changes nothing: a si"),
        (
            replace(network("conv"), stages=(Stage(8, 1, 2, ("conv",), window_size=(2, 4)),)),
            network("conv"),
            "stages.0.window_size (2, 4) changes nothing: no block of the stage has windows",
        ),
        (
            replace(network("w_msa"), stages=(Stage(8, 1, 2, ("w_msa",), norm="branch"),)),
            network("w_msa"),
            "stages.0.norm branch changes nothing: no block of the stage has several branches",
        ),
    ],
)
def test_what_changes_nothing_is_noted(idle, plain, said):
    assert idle.id == plain.id
    (note,) = idle_fields([idle])
    assert note.startswith(said)
    assert not idle_fields([plain])


def test_what_one_of_several_networks_looks_at_is_not():
    works = network("conv+w_msa", registers=4, merging="pool", stages=2)
    assert not idle_fields([network("conv", registers=4), works, network("conv", merging="pool")])
