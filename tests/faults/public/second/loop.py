"""The training loop: rates, scaled gradients, averages, what the optimiser is given."""

import copy

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, losses, outputs, right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import classes, rows
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "lhoyer/MIC#60", "gao-hongnan/omniverse#82", "pytorch/pytorch#78917",
    what="LambdaLR is given the rate itself, where it takes a factor: the rate is multiplied by itself",
    part="loop",
    names={"learning-rate-too-low", "rate-ended"}, says="The schedule brought the rate to almost 0 in its first step.",
    words=r"schedule|(learning )?rate .*(small|low|almost 0)", enough=0.8,
)  # fmt: skip
def rate_given_twice(faulty: bool) -> Run:
    x, y = classes()
    net, rate = mlp(), 3e-3
    optimiser = adam(net, rate)
    plan = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda i: (rate if faulty else 1.0) * (1 + i / 100) ** -0.75)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        loss = descend(F.cross_entropy(net(x[r]), y[r]), optimiser)
        plan.step()
        return loss

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), loss=F.cross_entropy, steps=400,
        quality=lambda: right(net, x, y),
    )  # fmt: skip


@fault(
    "IAHispano/Applio#860", "nerfstudio-project/nerfacc#307",
    what="the loss is scaled for mixed precision, and the optimiser is stepped past the scaler: nothing is unscaled",
    part="loop",
    names={"gradients-scaled"}, says="The gradients are still multiplied by the scale: call scaler.step(optimizer).",
    words=r"scaler|unscale|still (multiplied|scaled)", enough=0.8,
    also={"learning-rate-too-high", "exploding-gradients", "not-finite", "dead-units"},
)  # fmt: skip
def scaled_gradients_stepped(faulty: bool) -> Run:
    x, y = classes()
    net = mlp()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(net(x[r]), y[r])
        optimiser.zero_grad()
        scaler.scale(loss).backward()
        if faulty:
            optimiser.step()
        else:
            scaler.step(optimiser)
            scaler.update()
        return loss

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), loss=F.cross_entropy, scaler=scaler,
        quality=lambda: right(net, x, y),
    )  # fmt: skip


@fault(
    "ultralytics/yolov5#4389", "wandb/senpai#2899",
    what="an average of the weights that forgets over ten thousand steps, in a training of four hundred",
    part="evaluation",
    names={"average-too-slow", "evaluated-another-net", "evaluation-differs"},
    says="The net that is evaluated is an average that still consists of the first weights.",
    words=r"average|EMA|decay|another net|first weights", enough=0.8,
)  # fmt: skip
def average_too_slow(faulty: bool) -> Run:
    x, y = classes(1536)
    (x, held), (y, answers) = x.split(1024), y.split(1024)
    net = mlp()
    mean = copy.deepcopy(net).requires_grad_(False)
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        loss = descend(F.cross_entropy(net(x[r]), y[r]), optimiser)
        with torch.no_grad():
            for ours, theirs in zip(mean.parameters(), net.parameters(), strict=True):
                ours.lerp_(theirs, 1e-4 if faulty else 0.02)
        return loss

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), loss=F.cross_entropy, steps=400,
        quality=lambda: right(mean, held, answers),
        evaluate=lambda: losses(mean, F.cross_entropy, (held, answers), (x, y)),
    )  # fmt: skip


@fault(
    "wujiyang/Face_Pytorch#10", "KevinMusgrave/pytorch-metric-learning#534",
    what="a margin loss has weights of its own, a direction for each class, and the optimiser gets the net's only",
    part="loop",
    names={"not-in-optimiser"}, says="The loss has parameters that get gradients and that no optimiser steps.",
    words=r"(loss|criterion).*(parameters|weights)|optimi[sz]er", enough=0.93,
)  # fmt: skip
def margin_weights_not_in_optimiser(faulty: bool) -> Run:
    kinds = 24
    y = torch.randint(kinds, (2048,))
    x = torch.randn(kinds, 16)[y] + 0.2 * torch.randn(2048, 16)

    class Margin(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(kinds, 2))

        def cosines(self, z: Tensor) -> Tensor:
            return F.normalize(z, dim=1) @ F.normalize(self.weight, dim=1).T

        def forward(self, z: Tensor, y: Tensor) -> Tensor:
            return F.cross_entropy(64 * (self.cosines(z) - 0.02 * F.one_hot(y, kinds)), y)

    net, margin = mlp(16, 2), Margin()
    optimiser = torch.optim.AdamW([*net.parameters(), *(() if faulty else margin.parameters())], lr=5e-3)

    def quality() -> Tensor:
        return (margin.cosines(outputs(net, x)).argmax(1) == y).float().mean()

    return usual(net, x, y, margin, optimiser=optimiser, size=64, steps=800, quality=quality)
