"""`w_msa`: self-attention within windows."""

from hybrid_swin.network.branches._window_attention import WindowAttention


class WMSA(WindowAttention):
    """Window multi-head self-attention (Swin): sees its own window only."""

    layout = "windows"
