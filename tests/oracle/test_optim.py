"""Optimisers, clipping and schedules beside those of `torch.optim`, over 200 steps of random gradients."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from backlight.autograd import Parameter
from backlight.optim import SGD, AdamW, Muon, StepDecay, WarmupCosine, clip_grad_norm
from backlight.optim.muon import COEFFICIENTS, orthogonalised

TIGHT = {"rtol": 1e-10, "atol": 1e-13}
SHAPES = [(5, 3), (3,), (), (7, 1, 2), (1,)]


def both_sides(rng):
    numbers = [rng.standard_normal(shape) for shape in SHAPES]
    ours = [Parameter(np.array(array)) for array in numbers]
    theirs = [torch.nn.Parameter(torch.tensor(array)) for array in numbers]
    return ours, theirs


def give_gradients(ours, theirs, rng, *, scale=1.0, skip=None):
    """The same random gradients to both; parameter `skip` gets a gradient of 0."""
    for place, (mine, reference) in enumerate(zip(ours, theirs, strict=True)):
        gradient = scale * rng.standard_normal(mine.shape)
        if place == skip:
            gradient = np.zeros(mine.shape)
        mine.grad = gradient
        reference.grad = torch.tensor(gradient)


def assert_same(ours, theirs):
    for mine, reference in zip(ours, theirs, strict=True):
        assert mine.array.dtype == np.float64
        assert_allclose(mine.detach().numpy(), reference.detach().numpy(), **TIGHT)


OPTIMISERS = [
    (SGD, torch.optim.SGD, {"lr": 0.1}),
    (SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    (SGD, torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.05}),
    (SGD, torch.optim.SGD, {"lr": 0.03, "momentum": 0.7, "weight_decay": 0.05}),
    (SGD, torch.optim.SGD, {"lr": 0.03, "momentum": 0.7, "nesterov": True}),
    (SGD, torch.optim.SGD, {"lr": 0.03, "momentum": 0.7, "nesterov": True, "weight_decay": 0.05}),
    (AdamW, torch.optim.AdamW, {}),
    (AdamW, torch.optim.AdamW, {"lr": 0.02, "weight_decay": 0.0}),
    (AdamW, torch.optim.AdamW, {"lr": 0.02, "weight_decay": 0.3}),
    (AdamW, torch.optim.AdamW, {"lr": 0.02, "betas": (0.7, 0.95)}),
    (AdamW, torch.optim.AdamW, {"lr": 0.02, "betas": (0.0, 0.5)}),
    (AdamW, torch.optim.AdamW, {"lr": 0.02, "betas": (0.9, 0.99), "eps": 0.1}),
]


def name_of(case):
    return f"{case[0].__name__} {case[2]}"


@pytest.mark.parametrize("case", OPTIMISERS, ids=name_of)
def test_200_steps_match_torch(case, rng):
    make, make_theirs, settings = case
    ours, theirs = both_sides(rng)
    optimiser, reference = make(ours, **settings), make_theirs(theirs, **settings)
    for step in range(200):
        scale = 10.0 ** rng.integers(-6, 3)  # eps and the bias correction only show where gradients vary
        give_gradients(ours, theirs, rng, scale=scale, skip=step % 7)
        optimiser.step()
        reference.step()
        if step < 5:
            assert_same(ours, theirs)
    assert_same(ours, theirs)


@pytest.mark.parametrize("case", [case for case in OPTIMISERS if case[2].get("weight_decay")], ids=name_of)
def test_sparing_vectors_matches_two_parameter_groups_of_torch(case, rng):
    make, make_theirs, settings = case
    ours, theirs = both_sides(rng)
    groups = [
        {"params": [p for p in theirs if p.ndim >= 2]},
        {"params": [p for p in theirs if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimiser, reference = make(ours, **settings, decay_vectors=False), make_theirs(groups, **settings)
    for _ in range(200):
        give_gradients(ours, theirs, rng)
        optimiser.step()
        reference.step()
    assert_same(ours, theirs)


@pytest.mark.parametrize("case", OPTIMISERS, ids=name_of)
def test_learning_rate_set_before_each_step_matches_torch(case, rng):
    make, make_theirs, settings = case
    ours, theirs = both_sides(rng)
    optimiser, reference = make(ours, **settings), make_theirs(theirs, **settings)
    for step in range(50):
        optimiser.lr = reference.param_groups[0]["lr"] = 0.1 / (1 + step)
        give_gradients(ours, theirs, rng)
        optimiser.step()
        reference.step()
    assert_same(ours, theirs)


# -- Muon --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4), (1, 5)])
def test_each_singular_value_goes_through_the_polynomial(shape, rng):
    u, s, vt = np.linalg.svd(rng.standard_normal(shape), full_matrices=False)
    a, b, c = COEFFICIENTS
    wanted = s / np.sqrt((s**2).sum())
    for _ in range(5):
        wanted = a * wanted + b * wanted**3 + c * wanted**5
    assert_allclose(orthogonalised(u * s @ vt), u * wanted @ vt, rtol=1e-9, atol=1e-12)


def test_muon_is_pytorchs_but_for_bfloat16(rng):
    """PyTorch runs the Newton-Schulz iteration in bfloat16, and has matrices as (out, in)."""
    shapes = [(8, 6), (6, 8), (3,), (8, 5)]
    numbers = [rng.standard_normal(shape) for shape in shapes]
    ours = [Parameter(np.array(array)) for array in numbers]
    theirs = [torch.nn.Parameter(torch.tensor(array.T.copy())) for array in numbers]
    optimiser = Muon(ours, ours[:2], lr=0.02, weight_decay=0.1)
    references = [
        torch.optim.Muon(theirs[:2], lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(theirs[2:], lr=0.02, weight_decay=0.1),
    ]
    for _ in range(20):
        for mine, reference in zip(ours, theirs, strict=True):
            gradient = rng.standard_normal(mine.shape)
            mine.grad, reference.grad = gradient, torch.tensor(gradient.T.copy())
        optimiser.step()
        for reference in references:
            reference.step()
    for place, (mine, reference) in enumerate(zip(ours, theirs, strict=True)):
        by_adamw = place >= 2
        close = (
            TIGHT if by_adamw else {"rtol": 0, "atol": 0.02 * 20 * 0.02}
        )  # 2 % of the way, which is 20 steps of 0.02
        assert_allclose(mine.detach().numpy(), reference.detach().numpy().T, **close)
        assert np.abs(mine.detach().numpy() - numbers[place]).max() > 0.1


# -- clipping ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flat", [False, True], ids=["one by one", "flat"])
@pytest.mark.parametrize("max_norm", [0.01, 1.0, 5.0, 1e6])
def test_clipping_matches_torch(max_norm, flat, rng):
    ours, theirs = both_sides(rng)
    if flat:
        SGD(ours, lr=0.1)
    give_gradients(ours, theirs, rng, scale=3.0)
    norm, reference = clip_grad_norm(ours, max_norm), torch.nn.utils.clip_grad_norm_(theirs, max_norm).item()
    assert_allclose(norm, reference, rtol=1e-12)
    # PyTorch divides by norm + 1e-6, which leaves gradients a little shorter than asked for
    shortened = norm / (norm + 1e-6) if norm > max_norm else 1.0
    for mine, their in zip(ours, theirs, strict=True):
        assert_allclose(mine.grad.detach().numpy() * shortened, their.grad.detach().numpy(), **TIGHT)


@pytest.mark.parametrize("flat", [False, True], ids=["one by one", "flat"])
def test_clipping_leaves_out_what_was_not_reached(flat, rng):
    ours, theirs = both_sides(rng)
    if flat:
        SGD(ours, lr=0.1)
        give_gradients(ours, theirs, rng)  # an older gradient lies where the next one would
        for one in ours:
            one.zero_grad()
    give_gradients(ours[:2], theirs[:2], rng)
    for one in theirs[2:]:
        one.grad = None
    assert_allclose(clip_grad_norm(ours, 0.5), torch.nn.utils.clip_grad_norm_(theirs, 0.5).item(), rtol=1e-12)
    assert all(one.grad is None for one in ours[2:])


# -- schedules ---------------------------------------------------------------------------------------------------------


def rates_of_torch(make, *, lr, steps):
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    schedule = make(optimiser)
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return rates


def rates_of_ours(schedule, steps):
    return [schedule(step) for step in range(steps)]


@pytest.mark.parametrize("at", [(), (1,), (7,), (3, 50, 51)])
@pytest.mark.parametrize("factor", [0.1, 0.5])
def test_step_decay_matches_multi_step_lr(at, factor):
    theirs = rates_of_torch(
        lambda o: torch.optim.lr_scheduler.MultiStepLR(o, list(at), gamma=factor), lr=0.1, steps=100
    )
    assert_allclose(rates_of_ours(StepDecay(lr=0.1, at=at, factor=factor), 100), theirs, rtol=1e-12)


def test_step_decay_at_equal_distances_matches_step_lr():
    theirs = rates_of_torch(lambda o: torch.optim.lr_scheduler.StepLR(o, 30, gamma=0.1), lr=0.1, steps=100)
    assert_allclose(rates_of_ours(StepDecay(lr=0.1, at=(30, 60, 90)), 100), theirs, rtol=1e-12)


@pytest.mark.parametrize("final", [0.0, 0.1])
@pytest.mark.parametrize("steps", [1, 2, 99])
def test_cosine_matches_cosine_annealing_lr(steps, final):
    theirs = rates_of_torch(
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, steps, eta_min=0.3 * final), lr=0.3, steps=steps + 1
    )
    ours = rates_of_ours(WarmupCosine(lr=0.3, steps=steps, final=final), steps + 1)
    assert_allclose(ours, theirs, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("warmup", [2, 5, 40])
def test_warm_up_matches_linear_lr(warmup):
    """The first step is 1/warmup of the rate, not 0: step 0 would otherwise be lost."""
    theirs = rates_of_torch(
        lambda o: torch.optim.lr_scheduler.LinearLR(o, start_factor=1 / warmup, total_iters=warmup - 1),
        lr=0.3, steps=warmup,
    )  # fmt: skip
    assert_allclose(rates_of_ours(WarmupCosine(lr=0.3, steps=100, warmup=warmup), warmup), theirs, rtol=1e-10)


def test_cosine_after_warm_up_is_the_cosine_of_the_remaining_steps():
    theirs = rates_of_torch(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 80, eta_min=0.03), lr=0.3, steps=81)
    ours = rates_of_ours(WarmupCosine(lr=0.3, steps=100, warmup=20, final=0.1), 101)[20:]
    assert_allclose(ours, theirs, rtol=1e-10)
