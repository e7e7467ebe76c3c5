"""The functions of torchlike beside PyTorch's own: one call, run in both namespaces."""

import numpy as np
import pytest
import torch

import backlight.torchlike as ours
import backlight.torchlike.nn.functional  # noqa: F401  (reached as ours.nn.functional, as with torch)

# elsewhere PyTorch rounds a product before it adds to it
FUSED = torch.backends.cpu.get_cpu_capability() in {"AVX2", "AVX512"}
NUMBERS = np.random.default_rng(7).standard_normal((6, 5, 4)).astype(np.float32)

CASES = {
    "linspace": lambda t: t.linspace(-3, 0, 1000),
    "linspace, odd": lambda t: t.linspace(0.1, 0.7, 33),
    "linspace, float64": lambda t: t.linspace(-1, 2, 1001, dtype=t.float64),
    "linspace, one": lambda t: t.linspace(2, 5, 1),
    "arange": lambda t: t.arange(2, 20, 3),
    "arange of floats": lambda t: t.arange(0, 1, 0.1),
    "full": lambda t: t.full((2, 3), 7),
    "eye": lambda t: t.eye(2, 4),
    "tensor of tensors": lambda t: t.tensor([t.tensor(1.0), t.tensor(2.0)]),
    "rand": lambda t: t.rand(3, 4, generator=t.Generator().manual_seed(3)),
    "rand, shared": lambda t: (t.manual_seed(3), t.rand((3, 4)))[1],
    "randn of few": lambda t: (t.manual_seed(3), t.randn(5), t.randn(2))[2],
    "randint": lambda t: t.randint(10, (20,), generator=t.Generator().manual_seed(3)),
    "randint of three": lambda t: t.randint(-5, 5, size=(20,), generator=t.Generator().manual_seed(3)),
    "randperm": lambda t: t.randperm(20, generator=t.Generator().manual_seed(3)),
    "multinomial of rows": lambda t: t.multinomial(
        t.tensor(NUMBERS[0]).exp(), 6, replacement=True, generator=t.Generator().manual_seed(3)
    ),
    "multinomial, shared": lambda t: (t.manual_seed(3), t.multinomial(t.tensor(NUMBERS[0]).exp(), 2))[1],
    "normal": lambda t: t.normal(1.0, 2.0, (4, 5), generator=t.Generator().manual_seed(3)),
    "histogram": lambda t: t.histogram(t.tensor(NUMBERS), bins=20).hist,
    "histogram's edges": lambda t: t.histogram(t.tensor(NUMBERS), bins=20).bin_edges,
    "histogram, density": lambda t: t.histogram(t.tensor(NUMBERS).view(-1), density=True)[0],
    "histogram, range": lambda t: t.histogram(t.tensor(NUMBERS), bins=5, range=(-1.0, 1.0))[0],
    "histogram, edges": lambda t: t.histogram(t.tensor(NUMBERS), bins=t.tensor([-1.0, 0.0, 0.2, 1.0]))[0],
    "isclose": lambda t: t.isclose(t.tensor([1.0, 1.0, 2.0]), t.tensor([1.00001, 1.0001, 2.0])),
    "tril": lambda t: t.tril(t.ones(4, 4), -1),
    "where": lambda t: t.where(t.tensor(NUMBERS) > 0, t.tensor(NUMBERS), 0.0),
    "concat": lambda t: t.concat([t.tensor(NUMBERS), t.tensor(NUMBERS)], dim=-1),
    "var": lambda t: t.var(t.tensor(NUMBERS), (0, 1), keepdim=True, unbiased=False),
    "gelu": lambda t: t.nn.functional.gelu(t.tensor(NUMBERS), approximate="tanh"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_call_gives_the_same_tensor(case):
    mine, theirs = CASES[case](ours).detach().numpy(), CASES[case](torch).detach().numpy()
    assert mine.dtype == theirs.dtype
    assert mine.shape == theirs.shape
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("steps", [1, 2, 7, 33, 50, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_linspace_is_the_same_in_every_bit(steps, dtype):
    mine, theirs = (t.linspace(-3, 0.1, steps, dtype=getattr(t, dtype)).detach().numpy() for t in (ours, torch))
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=0 if FUSED else 1e-6)


def targets(shape, ignored=None):
    ids = np.random.default_rng(8).integers(0, 5, shape)
    if ignored is not None:
        ids.reshape(-1)[1] = ignored
    return ids


LOSSES = {
    "one row": lambda f: (f.cross_entropy, NUMBERS[0, :, 0], targets(()), {}),
    "rows": lambda f: (f.cross_entropy, NUMBERS[:, :, 0], targets(6), {}),
    "classes along axis 1": lambda f: (f.cross_entropy, NUMBERS, targets((6, 4)), {}),
    "some ignored": lambda f: (f.cross_entropy, NUMBERS, targets((6, 4), -100), {}),
    "others ignored": lambda f: (f.cross_entropy, NUMBERS, targets((6, 4)), {"ignore_index": 2}),
    "sum": lambda f: (f.cross_entropy, NUMBERS, targets((6, 4), -100), {"reduction": "sum"}),
    "none": lambda f: (f.cross_entropy, NUMBERS, targets((6, 4), -100), {"reduction": "none"}),
    "nll": lambda f: (f.nll_loss, NUMBERS, targets((6, 4), -100), {}),
    "nll of one row": lambda f: (f.nll_loss, NUMBERS[0, :, 0], targets(()), {}),
    "nll, sum": lambda f: (f.nll_loss, NUMBERS[:, :, 0], targets(6), {"reduction": "sum"}),
}


@pytest.mark.parametrize("case", LOSSES)
def test_a_loss_and_its_gradient(case):
    losses, gradients = [], []
    for t in (ours, torch):
        loss_of, scores, ids, settings = LOSSES[case](t.nn.functional)
        logits = t.tensor(scores.astype(np.float64), requires_grad=True)
        loss = loss_of(logits, t.tensor(ids), **settings)
        above = np.random.default_rng(9).standard_normal(tuple(loss.shape))
        loss.backward(t.tensor(above, dtype=t.float64))
        losses.append(loss.detach().numpy())
        gradients.append(logits.grad.detach().numpy())
    np.testing.assert_allclose(*losses, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(*gradients, rtol=1e-10, atol=1e-12)


def test_linear_and_its_gradients():
    gradients = []
    for t in (ours, torch):
        x, weight, bias = (t.tensor(NUMBERS[i, :, :n], requires_grad=True) for i, n in enumerate((4, 4, 1)))
        y = t.nn.functional.linear(x, weight, bias.view(-1))
        (y * t.tensor(NUMBERS[0, :, :1])).sum().backward()
        gradients.append(np.concatenate([p.grad.detach().numpy().reshape(-1) for p in (x, weight, bias)]))
    np.testing.assert_allclose(*gradients, rtol=1e-5, atol=1e-6)
