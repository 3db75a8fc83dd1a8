"""The pieces that channel attentions share."""

import torch

from hybrid_swin.network.branches import _channel_attention as channel_attention


def test_heads_are_cut_as_queries_keys_values():
    qkv = torch.arange(2 * 3 * 2 * 12).view(2, 3, 2, 12)  # 2 heads of 2 channels
    for part, found in enumerate(channel_attention.heads(qkv, 2)):
        assert found.shape == (2, 2, 6, 2)
        for head in range(2):
            first = 4 * part + 2 * head
            assert torch.equal(found[:, head], qkv[..., first : first + 2].flatten(1, 2))


def test_cosines_are_cosines_and_those_of_zeros_are_zero():
    q, k = torch.randn(2, 3, 2, 7, 4).double().unbind(0)
    k[0, 0, :, 1] = 0
    found = channel_attention.cosines(q, k)
    assert not found[0, 0, :, 1].any()
    k[0, 0, :, 1] = 1
    found = channel_attention.cosines(q, k)
    for c in range(4):
        expected = torch.cosine_similarity(q[..., c, None], k, dim=-2)
        torch.testing.assert_close(found[:, :, c], expected, rtol=0, atol=1e-12)


def test_products_of_large_maps_do_not_overflow_half_precision():
    q = torch.full((1, 1, 1024, 2), 16.0, dtype=torch.float16)
    assert torch.equal(channel_attention.products(q, q), torch.full((1, 1, 2, 2), 256.0 * 1024))
    assert torch.allclose(channel_attention.cosines(q, -q), torch.tensor(-1.0), atol=1e-3)
    with torch.autocast("cpu", dtype=torch.float16):
        assert channel_attention.products(q, q).isfinite().all()


def test_one_row_of_the_map_makes_one_channel():
    v = torch.randn(1, 1, 5, 3).double()
    logits = torch.full((1, 1, 3, 3), -1e9).double()
    logits[0, 0, [0, 1, 2], [2, 2, 0]] = 0
    found = channel_attention.apply(logits, v, None)
    assert torch.equal(found, v[0, :, :, [2, 2, 0]])
    gate = torch.tensor([[2.0, 3.0, 5.0]]).double()
    gated = channel_attention.apply(logits, v, gate)
    assert torch.equal(gated, found * torch.tensor([5.0, 5.0, 2.0]))
