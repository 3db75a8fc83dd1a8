"""The names that ``import hybrid_swin`` gives: once for readers of types, once at run time."""

import ast
from pathlib import Path

import pytest

import hybrid_swin


def told():
    """The names in the block of TYPE_CHECKING, with the modules that they come from."""
    tree = ast.parse(Path(hybrid_swin.__file__).read_text(encoding="utf-8"))
    (block,) = (n for n in tree.body if isinstance(n, ast.If))
    return {
        alias.asname: node.module.removeprefix("hybrid_swin.")
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module.startswith("hybrid_swin")
        for alias in node.names
    }


def test_types_and_table_name_the_same():
    assert told() == hybrid_swin._PUBLIC
    assert dir(hybrid_swin) == hybrid_swin.__all__ == sorted(hybrid_swin._PUBLIC)


@pytest.mark.parametrize("name", sorted(hybrid_swin._PUBLIC))
def test_each_can_be_imported(name):
    found = getattr(hybrid_swin, name)
    assert found.__name__ == name and found.__doc__


def test_another_name_is_no_attribute():
    with pytest.raises(AttributeError, match="'hybrid_swin' has no attribute 'Brunch'"):
        _ = hybrid_swin.Brunch
