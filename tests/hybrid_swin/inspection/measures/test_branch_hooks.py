import pytest
import torch

from hybrid_swin.inspection.measures.branch_hooks import recorded, replaced
from hybrid_swin.inspection.subject import make_subject


@pytest.mark.parametrize("word", ["w_msa", "conv+w_msa", "mdta+w_msa:cross", "conv+mdta:cascade"])
@pytest.mark.parametrize("norm", ["pre", "branch"])
def test_what_a_fusion_calls_is_seen_once_and_nothing_changes(small_swin, word, norm):
    model = small_swin(word, depths=(1, 1), norm=norm)
    subject = make_subject(model, torch.randn(2, 3, 56, 56))
    before = {name: set(vars(module)) for name, module in model.named_modules()}
    clean = model(subject.images)
    seen = []
    branches = subject.branches()
    with recorded({b.module: lambda x, y, b=b: seen.append((b.name, x, y)) for b in branches}):
        torch.testing.assert_close(model(subject.images), clean, rtol=0, atol=0)
    assert len(seen) == len(branches) == 2 * (1 + word.count("+"))
    for _, x, y in seen:
        assert x.shape[:3] == y.shape[:3] in [(2, 14, 14), (2, 7, 7)]
    torch.testing.assert_close(model(subject.images), clean, rtol=0, atol=0)
    assert len(seen) == len(branches)
    assert {name: set(vars(module)) for name, module in model.named_modules()} == before


def test_a_branch_that_gives_its_constant_is_not_run(small_swin):
    model = small_swin("conv+w_msa", depths=(1, 1))
    subject = make_subject(model, torch.randn(2, 3, 56, 56))
    first = subject.branches()[0].module
    outs, runs = [], []
    first.proj.register_forward_hook(lambda *_: runs.append(1))
    watch = subject.blocks()[0].mixer.register_forward_hook(lambda m, i, out: outs.append(out))
    with replaced({first: torch.arange(24.0)}), recorded({}):
        model(subject.images)
        assert not runs
        other = subject.branches()[1].module
        torch.testing.assert_close(
            outs[0], other(model.layers[0].blocks[0].norm1(model.patch_embed(subject.images)))
            + torch.arange(24.0),
        )  # fmt: skip
    watch.remove()
    model(subject.images)
    assert len(runs) == 1


def test_an_error_inside_leaves_no_trace(small_swin):
    model = small_swin("conv", depths=(1, 1))
    branch = make_subject(model, torch.randn(1, 3, 56, 56)).branches()[0].module
    with pytest.raises(RuntimeError, match="inside"), recorded({branch: print}):
        raise RuntimeError("inside")
    assert "forward" not in vars(branch)
    assert "mix" not in vars(branch)
