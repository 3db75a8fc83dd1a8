"""First weights: what every part of a network starts with."""

from typing import get_args

from torch import Tensor, nn

from hybrid_swin.errors import InputError, quote, unknown
from hybrid_swin.network.block import ResidualNorm
from hybrid_swin.network.fusions import Fusion
from hybrid_swin.network.output_gates import OutputGate
from hybrid_swin.spec.recipe import WeightInit


def initialise(
    module: nn.Module,
    weight_init: WeightInit = "trunc_normal",
    zero_init_residual: bool = True,
) -> None:
    """First weights of linear layers, truncated normal; their biases zero.

    Convolutions and what a part initialises otherwise (bias tables, gates) are left as made.

    Args:
        module: whose parts to initialise.
        weight_init: ``trunc_normal`` has Swin's standard deviation of .02, made for widths from 96
            on; ``lecun_normal`` has 1/√inputs, so that a layer's output is as large as its input
            at any width (Efficient BackProp, 1998, http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf).
        zero_init_residual: whether norms behind mixers and MLPs start at 0, or at 1.

    Raises:
        InputError: another ``weight_init``, or no truth value.
    """
    if weight_init not in get_args(WeightInit):
        raise unknown("weight_init", weight_init, get_args(WeightInit))
    if not isinstance(zero_init_residual, bool):
        raise InputError(
            f"zero_init_residual must be True or False; got {quote(zero_init_residual)}"
        )
    for part in module.modules():
        if isinstance(part, nn.Linear):
            std = 0.02 if weight_init == "trunc_normal" else part.in_features**-0.5
            nn.init.trunc_normal_(part.weight, std=std)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    for part in module.modules():
        if isinstance(part, Fusion | OutputGate):
            part.start()
        elif isinstance(part, ResidualNorm):
            part.start_at(0.0 if zero_init_residual else 1.0)


def reset(
    network: nn.Module,
    weight_init: WeightInit = "trunc_normal",
    zero_init_residual: bool = True,
) -> None:
    """Set every parameter and buffer of a network's parts anew, whatever they hold.

    Each part resets its own by ``reset_parameters()``, as torch's layers do; then ``initialise``.
    What others have put on the network itself stays: its first values are theirs to know.

    Raises:
        InputError: a part has parameters or buffers and cannot reset them, or a weight that a hook
            computes from others, which no reset reaches.
    """
    starts = []
    for name, part in network.named_modules():
        if part is network or not (part._parameters or part._buffers):
            continue
        computed = _computed(part)
        if computed:
            raise InputError(
                f"{name}.{computed[0]} is computed from {computed[1]} (weight norm, pruning), so "
                "its first weights cannot be set again; remove that first, and apply it again "
                "behind the reset"
            )
        start = getattr(part, "reset_parameters", None)
        if not callable(start):
            raise InputError(
                f"{name} ({type(part).__name__}) has no reset_parameters(), so its first "
                "weights cannot be set again; give its class that method"
            )
        starts.append(start)
    for start in starts:
        start()
    initialise(network, weight_init, zero_init_residual)


def _computed(part: nn.Module) -> tuple[str, str] | None:
    """A weight that a hook computes, and a parameter it comes from, as torch's older tools do."""
    for name, value in vars(part).items():
        if isinstance(value, Tensor):
            for source in part._parameters:
                if source.startswith(f"{name}_"):
                    return name, source
    return None
