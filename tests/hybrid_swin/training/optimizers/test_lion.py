"""Lion against its formula, a number at a time in float64."""

import math

import pytest
import torch

from hybrid_swin.training.optimizers import ParameterGroup
from hybrid_swin.training.optimizers.lion import Lion


def slow_lion(weights, gradients, rate, decay, beta1, beta2):
    momenta = [0.0] * len(weights)
    for step in gradients:
        for i, gradient in enumerate(step):
            direction = beta1 * momenta[i] + (1 - beta1) * gradient
            sign = math.copysign(1.0, direction) if direction else 0.0
            weights[i] -= rate * (sign + decay * weights[i])
            momenta[i] = beta2 * momenta[i] + (1 - beta2) * gradient
    return weights


def test_its_steps_are_those_of_the_paper():
    torch.manual_seed(0)
    first, gradients = torch.randn(6).double(), torch.randn(9, 6).double()
    gradients[:, 0] = 0  # no direction: only the decay moves it
    weight, idle = (torch.nn.Parameter(first.clone()) for _ in range(2))
    groups = [ParameterGroup({"weight": weight, "idle": idle}, 0.03, 0.2)]
    optimizer = Lion(beta1=0.8, beta2=0.95).make(groups, fused=False)
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
    expected = slow_lion(first.tolist(), gradients.tolist(), 0.03, 0.2, 0.8, 0.95)
    assert weight.tolist() == pytest.approx(expected, rel=1e-12)
    assert torch.equal(idle, first)  # without a gradient nothing moves it
