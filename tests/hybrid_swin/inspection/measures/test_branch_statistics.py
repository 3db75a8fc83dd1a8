"""Terms of a mixer's output, one per branch."""

import pytest
import torch
from torch import nn

from hybrid_swin.inspection.measures.branch_statistics import contributions
from hybrid_swin.network.block import build_mixer
from hybrid_swin.spec.block_words import parse


class Adapted(nn.Module):
    """A layer with a small one beside it, as adapters have; it has no ``weight``."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.beside = inner, nn.Linear(inner.in_features, inner.out_features)

    def forward(self, x):
        return self.inner(x) + self.beside(x)


@pytest.mark.parametrize("fusion", ["concat", "split"])
def test_terms_of_a_join_that_others_have_replaced_sum_up_to_its_output(fusion):
    torch.manual_seed(0)
    mixer = build_mixer(parse(f"conv+w_msa:{fusion}").canonical(), 12, 3, 4, (8, 8))
    outs = [torch.randn(2, 5, 6, width) for width in getattr(mixer, "widths", (12, 12))]
    for join in (mixer.join, Adapted(mixer.join)):
        mixer.join = join
        terms = contributions(mixer, outs)
        zeros = torch.zeros(1, sum(out.shape[-1] for out in outs))
        torch.testing.assert_close(sum(terms) + join(zeros), join(torch.cat(outs, dim=-1)))
        outs_but_one = [torch.zeros_like(outs[0]), outs[1]]
        torch.testing.assert_close(contributions(mixer, outs_but_one)[1], terms[1])
