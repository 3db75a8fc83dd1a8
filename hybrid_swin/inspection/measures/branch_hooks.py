"""Reading what blocks and branches give while the network runs, or replacing it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor

from hybrid_swin.inspection.subject import Subject
from hybrid_swin.network.branches import Branch

_CALLS = "forward", "mix"  # of a branch: a fusion calls it as a whole, or its ``mix``

Tap = Callable[[Tensor, Tensor], None]
"""Called with a branch's input and output, both (B, H, W, C)."""


@contextmanager
def recorded(taps: Mapping[Branch, Tap]) -> Iterator[None]:
    """Show each branch's input and output to its tap, in every pass made inside."""

    def record(branch: Branch, method: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def call(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            # forward calls mix: only what the fusion itself calls is the branch's output.
            if branch in running:
                return method(x, *args, **kwargs)
            running.add(branch)
            try:
                out = method(x, *args, **kwargs)
            finally:
                running.discard(branch)
            taps[branch](x, out)
            return out

        return call

    running: set[Branch] = set()
    with replaced_methods(list(taps), _CALLS, record):
        yield


@contextmanager
def replaced(outputs: Mapping[Branch, Tensor]) -> Iterator[None]:
    """Let each branch give the same vector (C,) at every place of every image; it is not run."""

    def replace(branch: Branch, method: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def call(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            # A copy, since sums over a view that repeats itself may be taken in another order.
            return outputs[branch].to(x).expand(*x.shape[:-1], -1).contiguous()

        return call

    with replaced_methods(list(outputs), _CALLS, replace):
        yield


@contextmanager
def replaced_methods(
    branches: Iterable[Branch],
    names: Iterable[str],
    make: Callable[[Branch, Callable[..., Tensor]], Callable[..., Tensor]],
) -> Iterator[None]:
    """Put other methods in the place of those of these names."""
    changed: list[tuple[Branch, str, Any]] = []
    try:
        for branch in branches:
            for name in names:
                before = vars(branch).get(name)
                setattr(branch, name, make(branch, getattr(branch, name)))
                changed.append((branch, name, before))
        yield
    finally:
        for branch, name, before in reversed(changed):
            delattr(branch, name)
            if before is not None:
                setattr(branch, name, before)


def block_maps(subject: Subject, images: Tensor) -> list[Tensor]:
    """What every block gives for a batch of images, (B, H, W, C) each."""
    maps: list[Tensor] = []
    with ExitStack() as stack:
        for place in subject.blocks():
            handle = place.block.register_forward_hook(lambda module, given, out: maps.append(out))
            stack.callback(handle.remove)
        subject.model.forward_features(images.to(subject.device))
    return maps
