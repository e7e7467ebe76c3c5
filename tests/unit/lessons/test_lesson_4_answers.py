"""Answers to lesson 4's exercises, as learners write them."""

# ruff: noqa: ARG001, ARG005, N812  (wrong answers leave out what they should use)

import numpy as np
import pytest
from tests.unit.lessons.answers import graded

import backlight.torchlike as torch
import backlight.torchlike.nn.functional as F
from backlight.lessons.exercises import EXERCISES, given
from backlight.nn import BatchNorm1d, Linear, fold_batch_norm, init

# -- 4.1: what starts at zero ------------------------------------------------------------------------------------------


def trained(zero):
    """Train a small network from what is said, and note which parameters change when."""
    g = torch.Generator().manual_seed(3)
    shapes = {"C": (7, 2), "W1": (4, 5), "b1": (5,), "W2": (5, 7), "b2": (7,)}
    net = {}
    for name, shape in shapes.items():
        net[name] = torch.zeros(shape) if name in zero.split() else torch.randn(shape, generator=g)
        net[name].requires_grad = True
    x, y = torch.randint(0, 7, (9, 2), generator=g), torch.randint(0, 7, (9,), generator=g)
    first = dict.fromkeys(shapes, 0)
    for step in range(1, 6):
        h = torch.tanh(net["C"][x].view(9, 4) @ net["W1"] + net["b1"])
        loss = F.cross_entropy(h @ net["W2"] + net["b2"], y)
        for p in net.values():
            p.grad = None
        loss.backward()
        for name, p in net.items():
            if first[name] == 0 and p.grad.abs().max().item() > 0:
                first[name] = step
            p.data -= 0.3 * p.grad
    return first


@pytest.mark.parametrize("case", EXERCISES["4.1"].inputs(), ids=lambda case: case["zero"] or "none")
def test_a_real_network_agrees_with_the_rule(case):
    assert trained(**case) == EXERCISES["4.1"].solution(**case)


def test_first_moves_may_be_measured():
    assert graded("4.1", trained).right


def test_first_moves_as_learners_write_them():
    def all_zero_means_nothing_moves(zero):
        return {name: 0 if name in zero else 1 for name in ("b1", "b2", "W1", "W2", "C")}

    def one_look(zero):
        on = {name: name not in zero for name in ("C", "W1", "b1", "W2", "b2")}
        h = on["b1"] or (on["C"] and on["W1"])
        return {
            "C": int(on["W2"] and on["W1"]), "W1": int(on["W2"] and on["C"]), "b1": int(on["W2"]), "W2": int(h),
            "b2": 1,
        }  # fmt: skip

    def without_w2(zero):
        first = EXERCISES["4.1"].solution(zero)
        return {**first, "b1": 1}

    assert graded("4.1", all_zero_means_nothing_moves).mistake == "what is zero stays zero"
    verdict = graded("4.1", one_look)
    assert verdict.mistake == "only the first step"
    assert "the first step that changes b2" in verdict.lines[0]
    assert graded("4.1", without_w2).mistake == "the backward pass through W2 is ignored for b1"
    assert "missing" in graded("4.1", lambda zero: {"b2": 1}).lines[0]
    assert graded("4.1", lambda zero: dict.fromkeys(("C", "W1", "b1", "W2", "b2"))).state == "unfinished"


# -- 4.2: folding ------------------------------------------------------------------------------------------------------


def test_folding_in_another_style():
    def by_the_package(W, b, gain, bias, running_mean, running_var, eps):
        linear, norm = Linear(*W.shape, rng=np.random.default_rng(0)), BatchNorm1d(len(b), eps=eps)
        for ours, given_ in (
            (linear.weight, W), (linear.bias, b), (norm.weight, gain), (norm.bias, bias),
            (norm.running_mean, running_mean), (norm.running_var, running_var),
        ):  # fmt: skip
            ours.array = given_
        folded = fold_batch_norm(linear, norm)
        return folded.weight, folded.bias

    def with_lists(W, b, gain, bias, running_mean, running_var, eps):
        scale = [g / (v + eps) ** 0.5 for g, v in zip(gain, running_var, strict=True)]
        rows = [[w * s for w, s in zip(row, scale, strict=True)] for row in W]
        return rows, [(b[i] - running_mean[i]) * scale[i] + bias[i] for i in range(len(b))]

    def by_what_it_does(W, b, gain, bias, running_mean, running_var, eps):
        def both(x):
            return gain * (x @ W + b - running_mean) / np.sqrt(running_var + eps) + bias

        at_0 = both(np.zeros(len(W)))
        return both(np.eye(len(W))) - at_0, at_0

    assert graded("4.2", by_the_package).right
    assert graded("4.2", with_lists).right
    assert graded("4.2", by_what_it_does).right
    assert graded("4.2", with_lists(**given("4.2"))).right


@pytest.mark.parametrize(
    ("wrong", "mistake"),
    [
        (lambda W, b, g, c, m, v, eps: (W * (g / np.sqrt(v)), (b - m) * g / np.sqrt(v) + c), "forgot eps"),
        (lambda W, b, g, c, m, v, eps: (W * g / (v + eps), b), "the variance is not square-rooted"),
        (lambda W, b, g, c, m, v, eps: ((W.T * (g / np.sqrt(v + eps))).T, b), "rows for columns"),
        (lambda W, b, g, c, m, v, eps: (np.diag(g / np.sqrt(v + eps)) @ W, b), "rows for columns"),
        (lambda W, b, g, c, m, v, eps: (W * (s := g / np.sqrt(v + eps)), b + c - m * s), "the old b is not scaled"),
        (
            lambda W, b, g, c, m, v, eps: (W * (s := g / np.sqrt(v + eps)), s * b + c - m),
            "the running mean is not scaled",
        ),
        (lambda W, b, g, c, m, v, eps: (W * (s := g / np.sqrt(v + eps)), c - m * s), "the old b is left out"),
        (lambda W, b, g, c, m, v, eps: (W * (s := g / np.sqrt(v + eps)), (b - m) * s), "the norm's bias is left out"),
    ],
)
def test_folding_gone_wrong(wrong, mistake):
    assert graded("4.2", wrong).mistake == mistake


# -- 4.3: first weights ------------------------------------------------------------------------------------------------


def test_first_weights_in_another_style():
    def uniform(fan_in, fan_out, function, rng):
        gain = {"linear": 1.0, "tanh": 1.6667, "relu": 1.4142}[function]
        bound = gain * (3 / fan_in) ** 0.5
        return rng.uniform(-bound, bound, size=(fan_in, fan_out))

    def without_rng(fan_in, fan_out, function, rng):
        gain = {"linear": 1.0, "tanh": 5 / 3, "relu": 2**0.5}[function]
        return torch.randn((fan_in, fan_out), generator=torch.Generator().manual_seed(8)) * (gain / fan_in**0.5)

    def by_the_package(fan_in, fan_out, function, rng):
        return init.kaiming_normal(fan_in, fan_out, rng=rng, nonlinearity=function)

    for right in (uniform, without_rng, by_the_package):
        assert graded("4.3", right).right, right


@pytest.mark.parametrize("seed", range(6))
def test_first_weights_of_any_draw_are_right(seed):
    rng = np.random.default_rng(seed)
    gains = {"linear": 1.0, "tanh": 5 / 3, "relu": 2**0.5}
    assert graded("4.3", lambda i, o, function, _: rng.standard_normal((i, o)) * gains[function] / np.sqrt(i)).right


def test_first_weights_gone_wrong():
    gains = {"linear": 1.0, "tanh": 5 / 3, "relu": 2**0.5}

    def told(answer):
        return graded("4.3", answer).mistake

    assert told(lambda i, o, f, rng: rng.standard_normal((i, o)) / i**0.5) == "the gain is left out"
    assert told(lambda i, o, f, rng: gains[f] * rng.standard_normal((i, o)) / o**0.5) == "fan_out for fan_in"
    assert told(lambda i, o, f, rng: rng.normal(0, gains[f] ** 2 / i, (i, o))) == "a variance for a standard deviation"
    assert told(lambda i, o, f, rng: rng.normal(0, gains[f] / i**0.5, (o, i))) == "transposed"
    assert told(lambda i, o, f, rng: rng.random((i, o)) * gains[f] / i**0.5) == "no negative weights"
    assert "pass the function first_weights itself" in graded("4.3", np.eye(3)).lines[0].lower()


# -- 4.4: batch norm ---------------------------------------------------------------------------------------------------


def by_torchlike(x, gain, bias, running_mean, running_var, training, momentum, eps):
    x = torch.tensor(x)
    mean, var = torch.tensor(running_mean), torch.tensor(running_var)
    if training:
        mean, var = x.mean(0), ((x - x.mean(0)) ** 2).mean(0)
        unbiased = var * len(x) / (len(x) - 1)
        running_mean += momentum * (mean.numpy() - running_mean)
        running_var += momentum * (unbiased.numpy() - running_var)
    return (x - mean) / (var + eps) ** 0.5 * gain + bias, running_mean, running_var


def test_batch_norm_in_another_style():
    assert graded("4.4", by_torchlike).right
    assert graded("4.4", by_torchlike(**given("4.4"))).right


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("((x - x.mean(0)) ** 2).mean(0)", "x.var(0)", "unbiased variance in y"),
        ("* len(x) / (len(x) - 1)", "* 1", "biased for unbiased variance"),
        ("+= momentum", "+= (1 - momentum)", "momentum reversed"),
        ("if training", "if True", "batch statistics after training"),
        ("(var + eps) ** 0.5", "(var ** 0.5 + eps)", "eps is outside the square root"),
        ("(var + eps) ** 0.5", "(var + eps)", "divided by the variance"),
        ("running_mean += momentum", "running_mean += 0", "in the running mean, this step is left out"),
        (
            "(x - mean)",
            "(x - torch.tensor(running_mean))",
            "in x minus the mean, the running mean is used in place of the mean that is subtracted",
        ),
    ],
)
def test_batch_norm_gone_wrong(old, new, mistake):
    import inspect

    source = inspect.getsource(by_torchlike)
    assert old in source
    names = {"torch": torch}
    exec(source.replace(old, new), names)  # noqa: S102
    verdict = graded("4.4", names["by_torchlike"])
    assert (verdict.right, verdict.mistake) == (False, mistake)
