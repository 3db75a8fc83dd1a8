"""The table of sizes, with a small network and a library that is made up."""

import torch

import hybrid_swin as hs
from benchmarks import sizes
from hybrid_swin.interop.weights.source.layouts import names, split


def test_a_library_is_measured_as_it_is_and_followed(monkeypatch):
    """Made up is one that refuses odd sides and has torchvision's names and rules."""
    stages = [hs.Stage(8 * 2**i, 2, 2, ("w_msa", "sw_msa")) for i in range(2)]
    variant = hs.Variant(32, 3, 5, 2, 4, 2, stages)
    theirs = sizes.randomised(hs.HybridSwin(variant))
    weights = {
        name: part
        for ours, tensor in theirs.state_dict().items()
        for name, part in zip(
            names("torchvision", ours), split("torchvision", ours, tensor), strict=True
        )
    }
    hs.load_weights(theirs, weights, follow_source=True)

    def logits(images):
        if images.shape[2] % 2:
            raise RuntimeError("odd")
        return theirs(images)

    monkeypatch.setattr(sizes.hs, "create_model", lambda name: hs.HybridSwin(variant))
    peer = sizes.Peer("made up", weights, logits)
    found = sizes.differences(peer, [(32, 32), (12, 12), (31, 32)])
    assert found[(32, 32)] == (0, 0) and found[(31, 32)] is None
    plain, following = found[(12, 12)]
    assert plain > 1e-3 and following == 0
    table = sizes.table({"made up": found, "again": found}).splitlines()
    assert table[0] == "| image | made up | again |"
    assert table[-1] == "| 31x32 | takes none | takes none |"
    assert torch.is_grad_enabled()
