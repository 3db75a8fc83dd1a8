"""`grid`: self-attention among tokens spread evenly over the map."""

from hybrid_swin.network.branches._window_attention import WindowAttention


class GridAttention(WindowAttention):
    """Grid attention (MaxViT): window_size x window_size tokens, as far apart as the map allows.

    Sparse and global where windows are dense and local, at the same cost. MaxViT refuses maps that
    the window does not divide; here they are padded right and below, and padding is attended to.

    Source: MaxViT: Multi-Axis Vision Transformer, 2022, https://arxiv.org/abs/2204.01697
    """

    layout = "strided"
