"""What every branch, fusion and block word must hold, as checks that anyone can run.

The test suite runs them over all built-in parts; ``python search.py blocks --plugin FILE --check``
runs them over a user's own.
"""

import copy
import io
from collections.abc import Callable, Iterator
from contextlib import suppress

import torch
from torch import Tensor, nn

from hybrid_swin.cost import Grid, Window, mixer_cost
from hybrid_swin.cost.counting import counted_cost
from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import message_of
from hybrid_swin.network.block import build_mixer
from hybrid_swin.network.first_weights import initialise, reset
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import GATE, BlockWord, parse
from hybrid_swin.spec.registry import PartKind

DIM, HEADS, WINDOW = 24, 3, 4
GRID: Grid = (8, 8)
OBLONG: Grid = (2, 4)  # a window of two sides
GRIDS: tuple[Grid, ...] = ((8, 8), (7, 7), (5, 9), (12, 4), (3, 2), (1, 6), (1, 1))


class ContractError(Exception):
    """A part does not keep the contract; says how."""


def _mixer(word: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_mixer(parse(word).canonical(), DIM, HEADS, WINDOW, GRID)


def _map(grid: Grid, batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, *grid, DIM, generator=generator)


def keeps_shape(word: str) -> None:
    """(B, H, W, C) in and out, finite, on any grid: odd, oblong, tiny, nominal or not."""
    mixer = _mixer(word).eval()
    for grid in GRIDS:
        x = _map(grid)
        out = mixer(x)
        if out.shape != x.shape:
            raise ContractError(f"gives {tuple(out.shape)} for an input of {tuple(x.shape)}")
        if not out.isfinite().all():
            raise ContractError(f"gives NaN or infinity on a grid of {grid}")


def remembers_nothing(word: str) -> None:
    """The same input gives the same output, whatever sizes came between."""
    mixer = _mixer(word).eval()
    x = _map(GRID)
    with torch.no_grad():
        first = mixer(x)
        for grid in GRIDS:
            mixer(_map(grid))
        if not torch.equal(first, mixer(x)):
            raise ContractError("gives another output after inputs of other sizes")


def treats_images_alone(word: str) -> None:
    """An image's output does not depend on the others in its batch."""
    mixer = _mixer(word).eval()
    x = _map(GRID, batch=3)
    with torch.no_grad():
        together, alone = mixer(x)[1:2], mixer(x[1:2])
    if not torch.allclose(together, alone, atol=1e-5):
        raise ContractError("mixes images of a batch in evaluation mode")


def trains_every_parameter(word: str) -> None:
    """Every parameter gets a finite gradient, and not one of zeros for good."""
    _learns(_mixer(word))


def _learns(mixer: nn.Module, steps: int = 3) -> None:
    """A zero may hold back what lies behind it for a step, until it has moved itself."""
    mixer = mixer.train()
    x = _map(GRID).requires_grad_()
    weights = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    parameters = {**dict(mixer.named_parameters()), "the input": x}
    dead = set(parameters)
    for _ in range(steps):
        (mixer(x) * weights).sum().backward()
        for name, parameter in parameters.items():
            if parameter.grad is None:
                raise ContractError(f"{name} gets no gradient")
            if not parameter.grad.isfinite().all():
                raise ContractError(f"the gradient of {name} has NaN or infinity")
            if parameter.grad.any():
                dead.discard(name)
        if not dead:
            return
        with torch.no_grad():
            for parameter in mixer.parameters():
                parameter.sub_(1e-3 * torch.as_tensor(parameter.grad))
                parameter.grad = None
    raise ContractError(f"the gradient of {', '.join(sorted(dead))} is all zero")


def saves_and_loads(word: str) -> None:
    """A state dict, saved and loaded into another instance, gives the same function."""
    mixer, other = _mixer(word).eval(), _mixer(word, seed=1).eval()
    file = io.BytesIO()
    torch.save(mixer.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    with torch.no_grad():
        if not torch.equal(mixer(_map(GRID)), other(_map(GRID))):
            raise ContractError("computes something else after saving and loading")


def starts_anew(word: str) -> None:
    """Every parameter and buffer can be set to first weights again, whatever it holds."""
    made = _mixer(word)
    mixer = copy.deepcopy(made)
    with torch.no_grad():
        for tensor in (*mixer.parameters(), *mixer.buffers()):
            tensor.fill_(float("nan") if tensor.is_floating_point() else 99)
    try:
        reset(nn.ModuleDict({"mixer": mixer}))  # which leaves the outermost module alone
    except InputError as error:
        raise ContractError(str(error)) from None
    initialise(made)
    now = {**dict(mixer.named_parameters()), **dict(mixer.named_buffers())}
    for name, before in (*made.named_parameters(), *made.named_buffers()):
        first = before.flatten()[:1]
        constant = before.numel() > 1 and bool((before == first).all())
        if not now[name].isfinite().all() or (constant and not (now[name] == first).all()):
            raise ContractError(f"reset_parameters() leaves {name} as it was")


def runs_in_half_precision(word: str) -> None:
    """Autocast to bfloat16 and to float16 gives finite outputs near those of float32.

    A branch that chooses may take another of two that are nearly equal. So half of its outputs must
    be nearer still, and the others may differ by any amount.
    """
    mixer = _mixer(word).eval()
    x = _map(GRID)
    chooses = any(registry.load("branch", part.name).chooses for part in parse(word).branches)
    with torch.no_grad():
        full = mixer(x)
        for dtype in (torch.bfloat16, torch.float16):
            with torch.autocast("cpu", dtype=dtype):
                half = mixer(x).float()
            if not half.isfinite().all():
                raise ContractError(f"gives NaN or infinity in {dtype}")
            differences = (half - full).abs() / full.abs().max().clamp(min=1e-6)
            if chooses and differences.median() > 0.01:
                raise ContractError(f"most outputs differ by more than a hundredth in {dtype}")
            if not chooses and differences.max() > 0.1:
                raise ContractError(f"differs from float32 by more than a tenth in {dtype}")


def survives_zeros(word: str) -> None:
    """An empty image gives finite outputs and gradients."""
    mixer = _mixer(word).train()
    x = torch.zeros_like(_map(GRID)).requires_grad_()
    out = mixer(x)
    out.sum().backward()
    finite = [out, *(p.grad for p in [x, *mixer.parameters()] if p.grad is not None)]
    if not all(t.isfinite().all() for t in finite):
        raise ContractError("gives NaN or infinity for an image of zeros")


def costs_what_it_says(word: str) -> None:
    """The closed-form cost equals the counted one, on divisible and other grids."""
    parsed = parse(word).canonical()
    for grid, normed in (((8, 8), False), ((5, 9), True), ((3, 2), False)):
        if wrong := _wrong_cost(parsed, WINDOW, grid, normed):
            raise ContractError(wrong)


def _wrong_cost(word: BlockWord, window: Window, grid: Grid, normed: bool = False) -> str:
    """How the closed-form cost differs from the counted one; empty if it does not."""
    cost = mixer_cost(word, DIM, HEADS, window, grid, normed)
    mixer = build_mixer(word, DIM, HEADS, window, grid, normed)
    counted = counted_cost(mixer, (*grid, DIM), "cpu")
    return "" if cost == counted else f"cost() says {cost}, counted on a grid of {grid}: {counted}"


def takes_oblong_windows(word: str) -> None:
    """``window_size`` may be two numbers: the shape is kept, and the cost is what it says."""
    parsed = parse(word).canonical()
    try:
        mixer = build_mixer(parsed, DIM, HEADS, OBLONG, GRID).eval()
        for grid in (GRID, (5, 9), (1, 6)):
            out = mixer(_map(grid, batch=1))
            if out.shape != (1, *grid, DIM) or not out.isfinite().all():
                raise ContractError(f"gives another shape, NaN or infinity on a grid of {grid}")
        for grid in ((5, 9), (1, 6)):
            wrong = _wrong_cost(parsed, OBLONG, grid)
            if wrong and not _wrong_cost(parsed, WINDOW, grid):  # else another check reports it
                raise ContractError(wrong)
    except Exception as error:  # whatever the user's code raises is a finding
        raise ContractError(f"with a window of two sides, {OBLONG}: {message_of(error)}") from error


def decays_what_it_should(word: str) -> None:
    """What ``no_weight_decay`` names exists."""
    mixer = _mixer(word)
    for module in mixer.modules():
        exempt: set[str] = getattr(module, "no_weight_decay", set)()
        unknown = exempt - {name for name, _ in module.named_parameters()}
        if unknown:
            raise ContractError(f"no_weight_decay names {sorted(unknown)}, which do not exist")


def starts_as_base(word: str) -> None:
    """Where ``identity_start`` says yes, the mixer computes its base branch and stays trainable."""
    if parse(word).is_bare:
        return
    for base in range(len(parse(word).branches)):
        mixer = _mixer(word).eval()
        before = copy.deepcopy(mixer)
        if not mixer.identity_start(base):  # type: ignore[operator]  # a Fusion
            if any(
                not torch.equal(p, q)
                for p, q in zip(mixer.parameters(), before.parameters(), strict=True)
            ):
                raise ContractError("identity_start says no, but changed a parameter")
            continue
        x = _map(GRID)
        with torch.no_grad():
            expected = mixer.branches[base](x)  # type: ignore[index,operator]  # a Fusion's
            if not torch.allclose(mixer(x), expected, atol=1e-5):
                raise ContractError(f"identity_start({base}) does not give branch {base} alone")
        _learns(mixer)


CHECKS: tuple[Callable[[str], None], ...] = (
    keeps_shape,
    remembers_nothing,
    treats_images_alone,
    trains_every_parameter,
    saves_and_loads,
    starts_anew,
    runs_in_half_precision,
    survives_zeros,
    costs_what_it_says,
    takes_oblong_windows,
    decays_what_it_should,
    starts_as_base,
)


def words_with(kind: PartKind, name: str) -> Iterator[str]:
    """Block words in which a part must work: alone, and with every partner."""
    if kind == "branch":
        yield name
        for fusion in registry.names("fusion"):
            yield from _joined("w_msa", name, fusion)
        yield from _joined("identity", name, "sum")
    elif kind == "fusion":
        for branch in registry.names("branch"):
            yield from _joined("w_msa", branch, name)
        yield from _joined("conv", "identity", name)
        if GATE in registry.describe("fusion", name).common:
            yield from _joined("conv", "w_msa", name, f"({GATE}=se)")
        least, most = _counts(name)
        if most >= 3:
            yield f"conv+mdta+w_msa{'+conv' * (least - 3)}:{name}"


def _joined(first: str, second: str, fusion: str, options: str = "") -> Iterator[str]:
    """The two, and more where the fusion wants more; nothing where it cannot join them."""
    word = f"{first}+{second}{'+conv' * (_counts(fusion)[0] - 2)}:{fusion}{options}"
    with suppress(InputError):
        parse(word)
        yield word


def _counts(fusion: str) -> tuple[int, int]:
    """The fewest and the most branches that a fusion joins."""
    constants = registry.describe("fusion", fusion).constants
    least = constants.get("min_branches", 2)
    return least, constants.get("max_branches") or max(3, least)
