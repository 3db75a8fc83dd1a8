"""The controls: `identity` does nothing, `pointwise` spends without mixing."""

import pytest
import torch
from torch.nn import functional as F

from hybrid_swin.errors import InputError
from hybrid_swin.network.branches.identity import Identity
from hybrid_swin.network.branches.pointwise import Pointwise
from hybrid_swin.network.branches.w_msa import WMSA
from hybrid_swin.spec.block_words import parse


def test_identity_gives_back_what_it_gets():
    module = Identity(4, 2, 7, (3, 3))
    x = torch.randn(2, 3, 3, 4)
    assert module(x) is x
    assert not list(module.parameters())


def test_pointwise_computes_each_token_by_itself():
    module = Pointwise(4, 2, 7, (3, 3), ratio=1.5).double()
    x = torch.randn(2, 3, 3, 4).double()
    for index in ((0, 0, 0), (1, 2, 1)):
        hidden = F.gelu(module.expand.weight @ x[index] + module.expand.bias)
        assert hidden.shape == (6,)
        expected = module.contract.weight @ hidden + module.contract.bias
        torch.testing.assert_close(module(x)[index], expected, rtol=0, atol=1e-12)


def test_pointwise_costs_about_what_attention_does():
    spent, attention = Pointwise.cost(96, 3, 7, (56, 56)), WMSA.cost(96, 3, 7, (56, 56))
    assert spent.parameters == 4 * 96**2 + 3 * 96
    assert abs(spent.parameters / attention.parameters - 1) < 0.02


@pytest.mark.parametrize("ratio", [0, -1, 65, float("nan")])
def test_a_ratio_that_cannot_be_is_refused_where_words_are_read(ratio):
    with pytest.raises(InputError, match=f"ratio={ratio} is not possible; give a number"):
        parse(f"pointwise(ratio={ratio})")
    assert Pointwise(4, 2, 7, (3, 3), ratio=0.01).expand.out_features == 1
