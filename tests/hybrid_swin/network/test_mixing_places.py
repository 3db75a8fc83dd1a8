"""What a block word says of mixing places, against a token that is moved."""

from itertools import product

import pytest
import torch

from hybrid_swin.network.block import build_mixer
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import parse


def mixes(word):
    """Whether another token's output changes with one token."""
    torch.manual_seed(0)
    mixer = build_mixer(parse(word).canonical(), 24, 3, 4, (8, 8)).double().eval()
    for parameter in mixer.parameters():
        torch.nn.init.normal_(parameter, std=0.3)  # whatever starts at 0
    x = torch.randn(1, 8, 8, 24, dtype=torch.float64)
    moved = x.clone()
    moved[0, 3, 3] += 1
    change = (mixer(moved) - mixer(x)).abs().sum(-1)[0]
    change[3, 3] = 0
    return bool(change.max() > 1e-12)


def words(name):
    """A branch with all settings of the options that it mixes by."""
    options = registry.describe("branch", name).constants.get("mixes_by") or ()
    for values in product(("true", "false"), repeat=len(options)):
        chosen = ";".join(f"{o}={v}" for o, v in zip(options, values, strict=True))
        yield f"{name}({chosen})" if chosen else name


@pytest.mark.parametrize("name", registry.names("branch"))
def test_every_branch_mixes_what_it_says(name):
    for word in words(name):
        assert parse(word).mixes_places == mixes(word), word


def test_several_branches_mix_if_one_does():
    assert not parse("pointwise+identity").mixes_places
    assert parse("pointwise+conv").mixes_places
    assert parse("pointwise:sum(gate=se)").mixes_places == mixes("pointwise:sum(gate=se)") is True
