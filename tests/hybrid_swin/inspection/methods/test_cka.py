import pytest
import torch

from hybrid_swin.inspection.methods.similarity import align, debiased_hsic, gram


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def debiased_cka(x, y):
    return float(align(debiased_hsic(torch.stack([gram(x), gram(y)])))[0, 1])


def biased_cka(x, y):
    x, y = (v.double() - v.double().mean(dim=0) for v in (x, y))
    k, m = x @ x.T, y @ y.T
    return float((k * m).sum() / (k.norm() * m.norm()))


def test_a_representation_is_like_itself():
    x = noise(20, 7)
    assert debiased_cka(x, x) == pytest.approx(1, abs=1e-12)


def test_rotating_and_scaling_change_nothing():
    x, y = noise(30, 9), noise(30, 9) + noise(30, 9, seed=1)
    rotation = torch.linalg.qr(noise(9, 9, seed=2).double()).Q
    plain = debiased_cka(x, y)
    assert 0.3 < plain < 0.7
    turned = (x.double() @ rotation) * 37.0 + 5.0
    assert debiased_cka(turned, y) == pytest.approx(plain, abs=1e-9)
    assert debiased_cka(y, x) == pytest.approx(plain, abs=1e-12)


def test_independent_gaussians_are_unlike_where_the_biased_form_says_alike():
    pairs = [(noise(64, 512, seed=2 * s), noise(64, 512, seed=2 * s + 1)) for s in range(10)]
    debiased = torch.tensor([debiased_cka(x, y) for x, y in pairs])
    biased = torch.tensor([biased_cka(x, y) for x, y in pairs])
    assert float(debiased.abs().max()) < 0.07
    assert float(debiased.mean().abs()) < 0.02
    assert float(biased.mean()) == pytest.approx(0.893, abs=0.01)


def test_the_formula_written_out():
    x, y = noise(6, 3), noise(6, 4, seed=1)
    n, k, m = 6, gram(x), gram(y)
    one = torch.ones(n).double()
    slow = torch.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
    slow = (slow - 2 / (n - 2) * (one @ k @ m @ one)) / (n * (n - 3))
    torch.testing.assert_close(debiased_hsic(torch.stack([k, m]))[0, 1], slow)


def test_features_are_taken_in_parts(monkeypatch):
    x = noise(8, 50)
    whole = gram(x)
    monkeypatch.setattr("hybrid_swin.inspection.methods.similarity._COLUMNS", 7)
    torch.testing.assert_close(gram(x), whole)
    assert whole.dtype == torch.float64
    assert whole.diagonal().abs().max() == 0


def test_what_does_not_vary_has_no_similarity():
    hsic = debiased_hsic(torch.stack([gram(noise(8, 3)), gram(torch.ones(8, 3))]))
    cka = align(hsic)
    assert float(cka[0, 0]) == pytest.approx(1)
    assert cka[1].isnan().all()
    with pytest.raises(ValueError, match="at least 4"):
        debiased_hsic(torch.zeros(2, 3, 3))
