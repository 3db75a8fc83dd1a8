"""Tensors that hold numbers, all of them and in this process: only these are read and written."""

from typing import Literal

from torch import Tensor, nn

from hybrid_swin.errors import InputError
from hybrid_swin.network.tracing import is_distributed

_STATE_DICT = "torch.distributed.checkpoint.state_dict"
_WHOLE = "StateDictOptions(full_state_dict=True)"
_SHARDED = {
    "load": "load before fully_shard, or give a state dict to set_model_state_dict",
    "save": "gather it by get_model_state_dict, and load that into a network that is not sharded",
}
_EMPTY = {
    "load": "make it on another device, or call model.to_empty(device='cpu') and "
    "model.reset_parameters() first",
    "save": "load weights into a network on another device first",
}


def refuse_unreal(model: nn.Module, use: Literal["load", "save"]) -> None:
    """Refuse a network whose tensors cannot be written to, or read.

    Args:
        model: the network.
        use: what to do to it.

    Raises:
        InputError: it is sharded, on the meta device, or made of fake tensors.
    """
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if is_distributed(tensor):
            raise InputError(
                f"weights cannot be {_past(use)}: the network is sharded ({name}); {_SHARDED[use]} "
                f"with {_WHOLE}, both of {_STATE_DICT}"
            )
        if tensor.is_meta or _is_fake(tensor):
            where = "on the meta device" if tensor.is_meta else "made of fake tensors"
            raise InputError(
                f"weights cannot be {_past(use)}: the network is {where} ({name}), which hold"
                f"{'s' * tensor.is_meta} no numbers; {_EMPTY[use]}"
            )


def _past(use: str) -> str:
    return {"load": "loaded", "save": "saved"}[use]


def _is_fake(tensor: Tensor) -> bool:
    if type(tensor) in (Tensor, nn.Parameter):
        return False
    from torch._subclasses.fake_tensor import FakeTensor  # half a second, which most never need

    return isinstance(tensor, FakeTensor)
