"""`sw_msa`: self-attention within windows shifted by half a window."""

from typing import Any, Literal

from hybrid_swin.cost import Grid, Window
from hybrid_swin.network.branches._window_attention import WindowAttention


class SWMSA(WindowAttention):
    """Shifted-window multi-head self-attention (Swin): windows that straddle its neighbour's.

    Libraries differ in where they shift. ``shift``: along each ``axis`` that more than one window
    covers (torchvision); nowhere if one window covers the ``map`` along one of its axes
    (Microsoft, transformers); ``always`` (OpenMMLab's detectors); or along the axes that more than
    one window covers on the nominal map, ``fixed`` for maps of all sizes (timm). ``roll``: the
    ``padded`` map is rolled, or the ``bare`` one, which is padded afterwards (timm). The other
    options are those of `WindowAttention`.
    """

    layout = "shifted"

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        shift: Literal["axis", "map", "always", "fixed"] = "axis",
        roll: Literal["padded", "bare"] = "padded",
        **others: Any,
    ) -> None:
        super().__init__(dim, num_heads, window_size, grid_size, **others)
        self.shift_rule, self.roll_rule = shift, roll
