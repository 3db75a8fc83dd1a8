"""`grid`: self-attention among tokens spread evenly over the map."""

from hybrid_swin.window_attention import WindowAttention


class GridAttention(WindowAttention):
    """Grid attention (MaxViT): window_size x window_size tokens, as far apart as the map allows.

    Sparse and global where windows are dense and local, at the same cost.

    Source: MaxViT: Multi-Axis Vision Transformer, 2022, https://arxiv.org/abs/2204.01697
    """

    layout = "strided"
