"""A batch computed in shares, by several devices or one after another, as if it were whole.

A share's forward pass runs inside ``as_whole``:

- Random numbers are drawn for the whole batch, from generators that stand where those of one
  process would, and the share takes its own rows. This holds for what asks ``for_batch`` and for
  torch's dropout layers and ``bernoulli_`` over tensors whose first axis is the batch, or the batch
  times something (windows). What else a plug-in draws is drawn alike for each share.
- Batch norm takes mean and variance over the shares that all devices hold at this moment. So it is
  exact over devices. Over micro-batches, which follow one another, it cannot be: each micro-batch
  is normalised by its own statistics, and the running ones learn from each.

Everything else in a network must treat images one by one.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_DROPOUTS = {
    *(F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout),
    F.feature_alpha_dropout,
}


class Share(NamedTuple):
    """A part of a batch: images ``begin`` to ``begin + size`` of ``whole``.

    A share without an image (``size`` 0, where a batch has fewer images than shares) holds the
    batch's first image instead, so that all devices do the same; it counts nothing.

    Where images of a batch are mixed with others of it, a share may come ``with_opposite``: behind
    its own images it then holds those that lie opposite, image ``whole - 1 - i`` for image i, in
    the batch's order.
    """

    begin: int
    size: int
    whole: int
    shares: int  # of this batch
    turn: int  # among the shares that this process takes one after another, from 0
    turns: int
    before: int  # images of the epoch before this batch
    with_opposite: bool = False

    @property
    def rows(self) -> slice:
        """The images that this share holds."""
        return slice(self.begin, self.begin + max(1, self.size))

    @property
    def opposite(self) -> "Share":
        """What lies opposite of the images that this share holds."""
        rows = self.rows
        begin, size = self.whole - rows.stop, rows.stop - rows.start
        return self._replace(begin=begin, size=size, with_opposite=False)

    @property
    def taken(self) -> slice | list[int]:
        """The rows of the batch that this share comes with."""
        if not self.with_opposite:
            return self.rows
        return [row for share in (self, self.opposite) for row in range(self.whole)[share.rows]]

    @property
    def held_by_all(self) -> int:
        """Images of the shares that all devices hold in this turn."""
        ends = [
            self.whole * (first + step) // self.shares
            for first in range(self.turn, self.shares, self.turns)
            for step in (0, 1)
        ]
        return sum(ends[1::2]) - sum(ends[::2])

    @property
    def weight(self) -> float:
        """Factor of the share's mean loss: the mean over shares is then that over the batch."""
        return self.shares * self.size / self.whole


_now: Share | None = None


def for_batch(draw: Callable[[int], Tensor], batch: int, axis: int = 0) -> Tensor:
    """Random numbers for ``batch`` samples along an axis of what ``draw`` gives for so many.

    In a share of a batch, these are its rows of what is drawn for the whole.
    """
    share = _now
    if share is None:
        return draw(batch)
    held = share.rows.stop - share.rows.start
    times = batch // held  # windows of an image, say
    return draw(share.whole * times).narrow(axis, share.begin * times, batch)


@contextmanager
def as_whole(share: Share | None) -> Iterator[None]:
    """Around the forward pass of a share in training; without a share, nothing is changed."""
    global _now
    if share is None:
        yield
        return
    _now = share
    try:
        with _Whole(share):
            yield
    finally:
        _now = None


class Generators:
    """Lets the shares that one process takes in turn draw from the same state."""

    def __init__(self) -> None:
        self._states: _States | None = None

    def turn(self, share: Share, device: torch.device) -> None:
        """Call before a share's first draw."""
        if share.turns == 1:
            return
        if share.turn == 0:
            self._states = _states(device)
        elif self._states is not None:
            _restore(self._states, device)


@contextmanager
def drawn_again(device: torch.device) -> Iterator[None]:
    """What is drawn inside is drawn once more after it: the generators go back."""
    states = _states(device)
    try:
        yield
    finally:
        _restore(states, device)


_States = tuple[Tensor, Tensor | None]  # of the CPU's generator and the device's own


def _states(device: torch.device) -> _States:
    own = _module_of(device)
    return torch.get_rng_state(), None if own is None else own.get_rng_state()


def _restore(states: _States, device: torch.device) -> None:
    torch.set_rng_state(states[0])
    own = _module_of(device)
    if own is not None and states[1] is not None:
        own.set_rng_state(states[1])


def _module_of(device: torch.device) -> Any:
    return {"cuda": torch.cuda, "mps": torch.mps}.get(device.type)


class _Whole(TorchFunctionMode):
    def __init__(self, share: Share) -> None:
        super().__init__()
        self._share = share
        self._together = distributed.is_available() and distributed.is_initialized()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _DROPOUTS and kwargs.get("training", True) and self._is_of_batch(args[0]):
            return self._dropped(func, *args, **kwargs)
        if func is Tensor.bernoulli_ and self._is_of_batch(args[0]):
            return args[0].copy_(self._drawn(args[0], lambda x: func(x, *args[1:], **kwargs)))
        if func is F.batch_norm and kwargs.get("training"):
            return self._batch_norm(*args, **kwargs)
        return func(*args, **kwargs)

    def _is_of_batch(self, x: Tensor) -> bool:
        held = self._share.rows.stop - self._share.rows.start
        return not isinstance(x, nn.Parameter) and x.ndim > 0 and x.shape[0] % held == 0

    def _drawn(self, x: Tensor, draw: Callable[[Tensor], Tensor]) -> Tensor:
        """What a random function that looks at one number at a time does to rows of the whole."""

        def of_whole(count: int) -> Tensor:
            share, whole = self._share, x.new_zeros(count, *x.shape[1:])
            begin = share.begin * (count // share.whole)
            whole[begin : begin + len(x)] = x
            return draw(whole)

        return for_batch(of_whole, len(x))

    def _dropped(self, func: Any, x: Tensor, **kwargs: Any) -> Tensor:
        kwargs.pop("inplace", None)
        return self._drawn(x, lambda whole: cast(Tensor, func(whole, **kwargs)))

    def _batch_norm(
        self,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = True,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """F.batch_norm over what all devices hold now. x is (B, C, ...)."""
        if not self._together:
            has_spread = self._share.size > 0 and x.numel() > x.shape[1]
            if not has_spread and running_mean is not None:  # a micro-batch of one value, or none
                return F.batch_norm(x, running_mean, running_var, weight, bias, False, eps=eps)
            return F.batch_norm(x, running_mean, running_var, weight, bias, True, momentum, eps)
        of_image = x.numel() // x.shape[1] // (self._share.rows.stop - self._share.rows.start)
        if self._share.held_by_all * of_image <= 1:
            if self._share.turns == 1:  # as torch says it of one device
                raise ValueError("Expected more than 1 value per channel when training")
            untrained = running_mean is not None
            return F.batch_norm(
                x, running_mean, running_var, weight, bias, not untrained, momentum, eps
            )
        axes, shape = [0, *range(2, x.ndim)], (1, -1, *[1] * (x.ndim - 2))
        values = x.float()
        counts = 1.0 if self._share.size else 0.0
        own = torch.full((1,), counts * x.numel() / x.shape[1], device=x.device)
        sums = _summed(torch.cat([values.sum(axes) * counts, own]))
        total = sums[-1].detach()
        mean = sums[:-1] / total
        centred = values - mean.view(shape)
        var = _summed(centred.square().sum(axes) * counts) / total
        if running_mean is not None and running_var is not None:
            with torch.no_grad():
                unbiased = var * (total / (total - 1).clamp(min=1))
                running_mean.lerp_(mean.to(running_mean.dtype), momentum)
                running_var.lerp_(unbiased.to(running_var.dtype), momentum)
        out = centred * (var + eps).rsqrt().view(shape)
        if weight is not None:
            out = out * weight.view(shape)
        if bias is not None:
            out = out + bias.view(shape)
        return out.to(x.dtype)


class _Summed(torch.autograd.Function):
    """The sum over all devices; what each makes of it gives gradients, which are summed in turn."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        distributed.all_reduce(total)
        return total


def _summed(x: Tensor) -> Tensor:
    return cast(Tensor, cast(Any, _Summed).apply(x))


def has_batch_norm(network: nn.Module) -> bool:
    """Whether any layer is a batch norm that learns from batches."""
    return any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in network.modules())
