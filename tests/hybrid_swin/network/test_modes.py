"""Masks and index tables that are kept between calls never outlive the mode they were made in."""

import copy
import itertools
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_module, distribute_tensor
from torch.func import functional_call, functionalize, grad, jvp, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.flop_counter import FlopCounterMode

from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.variant import Variant

# shifted, padded and masked, with both kinds of bias and of windows: everything that is kept
WORDS = ["sw_msa(mask_padding=true)", "grid(attention=cosine;bias=continuous)"]
# Each test has maps of its own, for which no other has kept tables.
SIZES = itertools.product(range(9, 16), range(9, 16))


def network(size):
    torch.manual_seed(0)
    stage = {"width": 8, "depth": 2, "num_heads": 2, "blocks": WORDS}
    variant = {"image_size": size, "patch_size": 1, "window_size": 4, "num_classes": 3}
    return HybridSwin(Variant.from_dict(variant | {"stages": [stage]})).eval()


def parameters(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def fake(model, images):
    real = parameters(model)
    with FakeTensorMode() as mode:
        fakes = {name: mode.from_tensor(p) for name, p in real.items()}
        assert functional_call(model, fakes, mode.from_tensor(images)).shape == (2, 3)


def fake_outside(model, images):
    """Fake tensors carry their mode, which need not be active."""
    mode = FakeTensorMode()
    fakes = {name: mode.from_tensor(p) for name, p in parameters(model).items()}
    for gradients in (True, False):
        with torch.set_grad_enabled(gradients):
            assert functional_call(model, fakes, mode.from_tensor(images)).shape == (2, 3)


def traced_fake(model, images):
    make_fx(lambda x, p: functional_call(model, p, x), tracing_mode="fake")(
        images, parameters(model)
    )


def traced_real(model, images):
    graph = make_fx(lambda x, p: functional_call(model, p, x))(images, parameters(model))
    torch.testing.assert_close(graph(images, parameters(model)), model(images))


def functional(model, images):
    run = functionalize(lambda x: functional_call(model, parameters(model), x))
    torch.testing.assert_close(run(images), model(images))


def vectorised(model, images):
    out = vmap(lambda x: model(x[None])[0])(images)
    torch.testing.assert_close(out, model(images), rtol=1e-4, atol=1e-5)


def differentiated(model, images):
    grad(lambda p: functional_call(model, p, images).sum())(parameters(model))


def pushed_forward(model, images):
    jvp(model, (images,), (torch.ones_like(images),))


def counted(model, images):
    with FlopCounterMode(display=False):
        model(images)


def inferred(model, images):
    with torch.inference_mode():
        model(images)


def on_a_default_device(model, images):
    with torch.device("meta"):
        model(images)


def in_double(model, images):
    with default_dtype(torch.float64):
        assert model(images).dtype == torch.float32  # images' and parameters' type decides


def in_autocast(model, images):
    with torch.autocast("cpu", torch.bfloat16):
        model(images)


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


# jvp of torch's own operations scripts them; its word about that is not a concern of ours.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
MODES = [
    fake,
    fake_outside,
    traced_fake,
    traced_real,
    functional,
    vectorised,
    differentiated,
    pushed_forward,
    counted,
    inferred,
    on_a_default_device,
    in_double,
    in_autocast,
]


def trains(model, images):
    """Plain training and inference still work."""
    model.zero_grad()
    model(images).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    with torch.no_grad():
        out = model(images)
    assert type(out) is torch.Tensor and out.dtype == torch.float32
    return out


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_before_and_after_plain_calls(mode):
    for first in (True, False):  # the first call at a size decides what is kept
        size = next(SIZES)
        model, images = network(size), torch.randn(2, 3, *size)
        expected = None if first else trains(model, images)
        mode(model, images)
        after = trains(model, images)
        torch.testing.assert_close(after, network(size)(images))
        if expected is not None:
            assert torch.equal(after, expected)


@pytest.mark.parametrize("modes", [MODES, MODES[::-1]], ids=["forwards", "backwards"])
def test_a_mode_after_all_others(modes):
    """Each comes before and after each other one; the test above calls each first."""
    size = next(SIZES)
    model, images = network(size), torch.randn(2, 3, *size)
    for mode in modes:
        mode(model, images)
    trains(model, images)


def test_threads_in_different_modes():
    sizes = [next(SIZES) for _ in range(3)]

    def work(job):
        mode, size = job
        model, images = network(size), torch.randn(2, 3, *size)
        for _ in range(3):
            mode(model, images)
        return trains(model, images)

    # modes are a thread's own; a default type and random seeds are not, and stay out of this
    jobs = [(mode, size) for size in sizes for mode in (inferred, fake, differentiated, functional)]
    with ThreadPoolExecutor(4) as pool:
        for (_, size), out in zip(jobs, pool.map(work, jobs), strict=True):
            assert out.shape == (2, 3), size


def test_a_copy_shares_nothing_that_a_mode_made():
    size = next(SIZES)
    model, images = network(size), torch.randn(2, 3, *size)
    expected = model(images)
    fake(model, images)
    twin = copy.deepcopy(model)
    fake(twin, images)
    assert torch.equal(twin(images), expected)
    assert torch.equal(model(images), expected)


def test_a_distributed_network_between_plain_calls(tmp_path):
    """Each rank holds a copy of the weights, and a part of the images or all of them."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1
    )
    try:
        mesh = init_device_mesh("cpu", (1,))
        for plain_first in (True, False):
            size = next(SIZES)
            model, images = network(size), torch.randn(2, 3, *size)
            if plain_first:
                trains(model, images)
            spread = distribute_module(copy.deepcopy(model), mesh)
            for gradients in (True, False):
                with torch.set_grad_enabled(gradients):
                    given = distribute_tensor(images, mesh, [Shard(0)])
                    out = spread(given).full_tensor()
                    torch.testing.assert_close(out, model(images), rtol=1e-4, atol=1e-5)
            trains(model, images)
        spread(given).sum().backward()
        assert all(p.grad is not None for p in spread.parameters())
    finally:
        torch.distributed.destroy_process_group()
