"""`sw_msa`: self-attention within windows shifted by half a window."""

from hybrid_swin.window_attention import WindowAttention


class SWMSA(WindowAttention):
    """Shifted-window multi-head self-attention (Swin): windows that straddle its neighbour's."""

    layout = "shifted"
