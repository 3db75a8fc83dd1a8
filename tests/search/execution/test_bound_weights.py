"""First weights that a machine does not have, or has otherwise."""

from types import SimpleNamespace

import pytest
import torch

import hybrid_swin as hs
from search.execution.bound_weights import OtherWeightsError, check_weights


def test_a_machine_without_the_weights_is_named_and_left(tmp_path):
    file = tmp_path / "a.safetensors"
    network = hs.Variant(8, 1, 10, 2, 2, 4.0, (hs.Stage(8, 1, 2, ("w_msa",)),))
    spec = SimpleNamespace(init=str(file), weights_prefix=None)
    with pytest.raises(OtherWeightsError, match=r"cannot read the first weights .*copy the file"):
        check_weights(spec, "0123456789")
    torch.manual_seed(0)
    hs.save_weights(hs.HybridSwin(network), file)
    check_weights(spec, "")
    with pytest.raises(OtherWeightsError, match=r"has other first weights at .* instead of 0123"):
        check_weights(spec, "0123456789")
    check_weights(SimpleNamespace(init="", weights_prefix=None), "")
