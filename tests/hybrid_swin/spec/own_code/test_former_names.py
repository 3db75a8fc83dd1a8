"""Plug-ins that were written for earlier versions: their imports still lead to today's classes."""

import sys

import pytest

import hybrid_swin
from hybrid_swin.spec import registry

IMPORTS = """
from hybrid_swin.block_words import parse
from hybrid_swin.branches import Branch
from hybrid_swin.branches.conv import Conv
from hybrid_swin.channel_attention import cosines
from hybrid_swin.cost import Cost, linear
from hybrid_swin.data import LabelledImages, Source
from hybrid_swin.depthwise import convolve, depthwise_conv
from hybrid_swin.fusions import Fusion
from hybrid_swin.inspecting.intervals import mean_interval
from hybrid_swin.inspection import Inspection
from hybrid_swin.inspection.figures.palette import COLOURS
from hybrid_swin.normalization import BatchNorm
from hybrid_swin.plain_text import say
from hybrid_swin.window_attention import WindowAttention
from hybrid_swin.window_rules import lay_windows
from hybrid_swin import windows
"""
CLASS = '''

class Old(Branch):
    """A branch of before."""

    def __init__(self, dim, num_heads, window_size, grid_size):
        super().__init__()
        self.proj = depthwise_conv(dim, 3, True)

    def mix(self, x, value_gate=None):
        return convolve(self.proj, x)

    @classmethod
    def cost(cls, dim, num_heads, window_size, grid_size):
        return linear(grid_size[0] * grid_size[1], dim, dim)
'''


def test_a_plugin_of_an_earlier_version_finds_what_it_imports(write_plugin):
    registry.add_plugin(write_plugin("of_before", IMPORTS + CLASS))
    found = registry.load("branch", "of_before")
    assert issubclass(found, hybrid_swin.Branch)
    names = vars(sys.modules[found.__module__])
    for name in ("Branch", "Cost", "Fusion", "Inspection", "LabelledImages", "Source", "linear"):
        assert names[name] is getattr(hybrid_swin, name)
    for name in ("convolve", "depthwise_conv"):
        assert names[name] is getattr(hybrid_swin, name)
    assert names["Conv"] is registry.load("branch", "conv")


def test_a_module_that_never_was_is_missing_as_any_other():
    from hybrid_swin.spec.own_code.former_names import find_former_names

    find_former_names()
    with pytest.raises(ModuleNotFoundError, match=r"hybrid_swin\.nothing"):
        __import__("hybrid_swin.nothing")
