"""Images that are drawn are refused where no machine could hold them."""

import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.spec import registry


@pytest.mark.parametrize("source", ["constellation", "context_xor", "cue_conflict"])
@pytest.mark.parametrize("more", [{"train": 6 * 10**8}, {"cell": 2**30}, {"grid": 10**6}])
def test_more_pixels_than_a_machine_holds(source, more):
    with pytest.raises(InputError, match=rf"{source}: .* are more than 4,294,967,296 pixels"):
        registry.load("data source", source)(**more)
