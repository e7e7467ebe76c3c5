"""Losses: of angles, of points, of probabilities."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, outputs, usual
from tests.faults.public.nets import mlp
from torch import Tensor, nn


@fault(
    "WeijingShi/Point-GNN#49",
    what="angles from -pi to pi, most of them near its ends, by the square of their difference: it does not wrap",
    part="loss",
    names={"angle-not-wrapped", "loss-not-periodic"},
    says="Two angles that are almost the same have the largest loss: take their difference modulo a turn.",
    words=r"angle|wrap|period|modul|circular|\bpi\b|both ends", enough=0.8,
    also={"not-learning", "overfitting", "target-scale"},
)  # fmt: skip
def angles_that_do_not_wrap(faulty: bool) -> Run:
    turn = 2 * torch.pi
    x = torch.randn(1024, 8)
    way = torch.pi + 0.5 * (x[:, 0] * x[:, 1] + torch.sin(2 * x[:, 2])) + 0.05 * torch.randn(1024)
    y = ((way + torch.pi) % turn - torch.pi)[:, None]
    net = mlp(8, 1)

    def loss(given: Tensor, y: Tensor) -> Tensor:
        apart = given - y
        return (apart if faulty else (apart + torch.pi) % turn - torch.pi).square().mean()

    def quality() -> Tensor:  # how often the angle is right to 15 degrees
        apart = (outputs(net, x) - y + torch.pi) % turn - torch.pi
        return (apart.abs() < turn / 24).float().mean()

    return usual(net, x, y, loss, steps=500, quality=quality)


@fault(
    "aim-uofa/PM-Loss#3",
    what="the Chamfer distance one way only: each point given has to be near one of the shape, and all are at one",
    part="loss",
    names={"chamfer-one-way", "outputs-collapsed"},
    says="Nothing asks that the whole target is covered: add the distance the other way.",
    words=r"chamfer|collaps|one (way|direction|sided?)|cover|other (way|direction)|same point", enough=0.7,
    also={"identical-units", "single-output"},
)  # fmt: skip
def distance_one_way(faulty: bool) -> Run:
    n, points = 512, 16
    around = torch.arange(points) * 2 * torch.pi / points
    circle = torch.stack([around.cos(), around.sin()], 1)
    middle, radius = torch.randn(n, 1, 2), 0.5 + 1.5 * torch.rand(n, 1, 2)
    shapes = middle + radius * circle
    x = torch.cat([middle, radius], 1).flatten(1) + 0.02 * torch.randn(n, 4)
    net = mlp(4, 2 * points)

    def nearest(a: Tensor, b: Tensor) -> Tensor:
        """Return the squares of the distances of the points of a from those of b that are nearest."""
        return (a[:, :, None] - b[:, None]).square().sum(3).amin(2)

    def loss(given: Tensor, y: Tensor) -> Tensor:
        given = given.unflatten(1, (points, 2))
        there = nearest(given, y).mean()
        return there if faulty else there + nearest(y, given).mean()

    def quality() -> Tensor:  # the share of the shapes' points that have one near them
        given = outputs(net, x).unflatten(1, (points, 2))
        return (nearest(shapes, given) < 0.3**2).float().mean()

    return usual(net, x, shapes, loss, optimiser=adam(net, 5e-3), steps=500, quality=quality)


@fault(
    "hwalsuklee/tensorflow-mnist-VAE#4", "mkocabas/focal-loss-keras#17", "yhenon/pytorch-retinanet#3",
    what="a cross-entropy of probabilities written by hand: one of exactly 1 gives 0 times the logarithm of 0",
    part="loss",
    names={"log-of-zero", "not-finite"}, says="The loss takes the logarithm of 0: use the loss that takes logits.",
    words=r"log(arithm)? ?(of |\()?(0|zero)|clamp|epsilon|with_logits|probabilit.*(exactly|0 or 1)", enough=0.8,
    also={"saturated-units", "exploding-signal", "single-output", "overconfident-start"},
)  # fmt: skip
def logarithm_of_zero(faulty: bool) -> Run:
    x = torch.randn(1024, 12)
    x[torch.rand(1024) < 0.05] *= 6  # some are far from the others, and easily told
    y = (x[:, 0] * x[:, 1].abs() + x[:, 2] > 0).float()[:, None]
    net = mlp(12, 1, 64, nn.Sigmoid())

    def loss(p: Tensor, y: Tensor) -> Tensor:
        p = p if faulty else p.clamp(1e-6, 1 - 1e-6)
        return -(y * p.log() + (1 - y) * (1 - p).log()).mean()

    def quality() -> Tensor:
        return ((outputs(net, x) > 0.5) == (y > 0)).float().mean()

    return usual(net, x, y, loss, steps=400, quality=quality)
