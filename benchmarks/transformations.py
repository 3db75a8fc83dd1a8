"""Which of torch's transformations work on which branch and fusion, as a table for docs/timm.md.

    python -m benchmarks.transformations

Each is tried at a map that windows do not divide; that results are right is held by
tests/hybrid_swin/test_transformations.py.
"""

import warnings
from collections.abc import Callable
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import HashStore
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_module, distribute_tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from hybrid_swin.network.block import build_mixer
from hybrid_swin.network.contract import words_with
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import parse

Try = Callable[[nn.Module, Tensor], object]


def _double_backward(mixer: nn.Module, x: Tensor) -> object:
    x.requires_grad_()
    with sdpa_kernel(SDPBackend.MATH):
        (first,) = torch.autograd.grad(mixer(x).pow(2).sum(), x, create_graph=True)
        return torch.autograd.grad(first.pow(2).sum(), x)


def _dual(mixer: nn.Module, x: Tensor) -> object:
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones_like(x))  # type: ignore[no-untyped-call]
        return mixer(dual)


def _each_image(mixer: nn.Module, x: Tensor) -> object:
    held = {name: p.detach() for name, p in mixer.named_parameters()}

    def energy(held: dict[str, Tensor], image: Tensor) -> Tensor:
        out: Tensor = torch.func.functional_call(mixer, held, (image[None],))
        return out.pow(2).sum()

    return torch.func.vmap(torch.func.grad(energy), in_dims=(None, 0))(held, x)


def _versions(mixer: nn.Module, x: Tensor) -> object:
    def run(name: str, version: Tensor) -> Tensor:
        out: Tensor = torch.func.functional_call(mixer, {name: version}, (x,))
        return out

    for name, p in mixer.named_parameters():
        torch.func.vmap(partial(run, name))(torch.stack([p.detach(), 2 * p.detach()]))
    return mixer(x)


def _fake(mixer: nn.Module, x: Tensor) -> object:
    mode = FakeTensorMode()
    real: dict[str, Tensor] = {**dict(mixer.named_parameters()), **dict(mixer.named_buffers())}
    held: dict[str, Tensor] = {name: mode.from_tensor(tensor) for name, tensor in real.items()}
    return torch.func.functional_call(mixer, held, (mode.from_tensor(x),))


def _distributed(mixer: nn.Module, x: Tensor) -> object:
    if not dist.is_initialized():
        dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    mesh = init_device_mesh("cpu", (1,))
    images = distribute_tensor(x, mesh, [Shard(0)]).requires_grad_()
    out: Tensor = distribute_module(mixer, mesh)(images)
    return torch.autograd.grad(out.sum(), [images, *mixer.parameters()])


TRIES: dict[str, Try] = {
    "double backward (under `sdpa_kernel(SDPBackend.MATH)`)": _double_backward,
    "forward-mode (`forward_ad`, `torch.func.jvp`)": _dual,
    "`torch.func.vmap(grad(...))`, gradients of each image": _each_image,
    "`torch.func.vmap` over versions of each parameter": _versions,
    "`torch.func.linearize`": lambda m, x: torch.func.linearize(m, x)[1](x),
    "fake tensors, in their mode or not": _fake,
    "`DTensor` (`distribute_module`), with a backward pass": _distributed,
    "`torch.func.functionalize`": lambda m, x: torch.func.functionalize(m)(x),
    "`torch.jit.trace`": lambda m, x: torch.jit.trace(m, x)(x),  # type: ignore[no-untyped-call]
    "`torch.export`": lambda m, x: torch.export.export(m, (x,)).module()(x),
    "`torch.compile(fullgraph=True)`": lambda m, x: torch.compile(
        m, backend="aot_eager", fullgraph=True
    )(x),
    "`torch.fx.symbolic_trace`": lambda m, x: torch.fx.symbolic_trace(m)(x),
    "`torch.jit.script`": lambda m, x: torch.jit.script(m)(x),
}


def words() -> list[str]:
    """Every branch alone and every fusion, and options that compute otherwise."""
    return sorted(
        {*registry.names("branch"), "sw_msa(attention=cosine;bias=continuous;mask_padding=true)"}
        | {list(words_with("fusion", name))[-1] for name in registry.names("fusion")}
    )


def failures(attempt: Try) -> list[str]:
    """Words on which a transformation fails."""
    failed = []
    for word in words():
        torch.manual_seed(0)
        torch.compiler.reset()  # or torch's limit of compilations of one function is met
        mixer = build_mixer(parse(word).canonical(), 24, 3, 4, (8, 8)).eval()
        try:
            attempt(mixer, torch.randn(2, 7, 5, 24))
        except Exception:
            failed.append(word)
    return failed


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    count = len(words())
    print("| transformation | branches and fusions on which it works |\n|---|---|")
    for name, attempt in TRIES.items():
        failed = failures(attempt)
        found = f"all {count}" if not failed else f"{count - len(failed)} of {count}"
        print(f"| {name} | {found if len(failed) < count else 'none: out of scope'} |")


if __name__ == "__main__":
    main()
