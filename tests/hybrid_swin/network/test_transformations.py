"""Every branch and fusion under torch's transformations: each works, or is named as out of scope.

``python -m benchmarks.transformations`` prints the same as a table, which docs/timm.md holds.
"""

import pytest
import torch
from torch.autograd import forward_ad
from torch.nn.attention import SDPBackend, sdpa_kernel

from hybrid_swin.network.block import build_mixer
from hybrid_swin.network.contract import words_with
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import parse

BRANCHES = sorted(
    {
        *registry.names("branch"),
        "sw_msa(attention=cosine;bias=continuous;mask_padding=true)",
        "conv+w_msa:cross(norm=batch)",
    }
)
WORDS = BRANCHES + [list(words_with("fusion", name))[-1] for name in registry.names("fusion")]
# jvp of torch's own operations scripts them, and says that scripting is deprecated
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")


@pytest.fixture(params=WORDS)
def mixer(request):
    torch.manual_seed(0)
    return build_mixer(parse(request.param).canonical(), 24, 3, 4, (8, 8)).double().eval()


@pytest.fixture
def x():
    return torch.randn(2, 7, 5, 24, dtype=torch.float64)


def direction(x):
    return torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(1))


def slope(f, x, v, step=1e-6):
    """A derivative along v by central differences."""
    with torch.no_grad():
        return (f(x + step * v) - f(x - step * v)) / (2 * step)


def assert_close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("gradients", [True, False])
def test_forward_mode(mixer, x, gradients):
    v = direction(x)
    expected = slope(mixer, x, v)
    with torch.set_grad_enabled(gradients):
        assert_close(torch.func.jvp(mixer, (x,), (v,))[1], expected)
        with forward_ad.dual_level():
            out = mixer(forward_ad.make_dual(x, v))
            assert_close(forward_ad.unpack_dual(out).tangent, expected)


def test_second_derivatives(mixer, x):
    def energy(x):
        return mixer(x).pow(2).sum()

    def gradient(x):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            return torch.autograd.grad(energy(x), x)[0]

    v = direction(x)
    expected = slope(gradient, x, v, 1e-5)
    assert_close(torch.func.jvp(torch.func.grad(energy), (x,), (v,))[1], expected)
    wanted = x.clone().requires_grad_()
    with sdpa_kernel(SDPBackend.MATH):  # as for torch's own attention: fused ones have no second
        (first,) = torch.autograd.grad(energy(wanted), wanted, create_graph=True)
        assert_close(torch.autograd.grad(first, wanted, v)[0], expected)


def test_gradients_of_each_image(mixer, x):
    parameters = {name: p.detach() for name, p in mixer.named_parameters()}

    def energy(parameters, image):
        return torch.func.functional_call(mixer, parameters, (image[None],)).pow(2).sum()

    of_one = torch.func.grad(energy, argnums=(0, 1))
    found, of_images = torch.func.vmap(of_one, in_dims=(None, 0))(parameters, x)
    for index in range(len(x)):
        mixer.zero_grad()
        image = x[index : index + 1].clone().requires_grad_()
        mixer(image).pow(2).sum().backward()
        assert_close(of_images[index], image.grad[0])
        for name, p in mixer.named_parameters():
            assert_close(found[name][index], p.grad)


# A forward derivative that torch keeps as a graph, so it takes seconds: few words show fusions.
# torch's own graph of the map names no module: torch/_functorch/eager_transforms.py
@pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node:UserWarning")
@pytest.mark.parametrize("mixer", BRANCHES, indirect=True)
def test_a_linear_map_of_the_network(mixer, x):
    v = direction(x)
    out, map_of = torch.func.linearize(mixer, x)
    assert_close(out, mixer(x))
    assert_close(map_of(v), slope(mixer, x, v))


def test_each_parameter_alone_may_come_in_many_versions(mixer, x):
    """``vmap`` over one of them, with the others and the images as they are."""
    for name, p in mixer.named_parameters():
        versions = torch.stack([p.detach(), 1.5 * p.detach()])

        def run(version, name=name):
            return torch.func.functional_call(mixer, {name: version}, (x,))

        found = torch.func.vmap(run)(versions)
        for out, version in zip(found, versions, strict=True):
            assert_close(out, run(version))
