"""Faults of the training loop: schedules, clipping, what the optimiser holds, running statistics."""

import copy

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import descend, losses, right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import classes, rows
from torch import nn
from torch.nn import functional as F


@fault(
    "ivadomed/ivadomed#55", "pytorch/tutorials#640",
    what="a schedule meant for epochs is stepped with each minibatch: the rate is 0 after a hundred",
    part="loop",
    names={"rate-ended"},
    says="The schedule brought the learning rate to almost 0 while the loss was still near its start.",
    words=r"schedule", enough=0.8, also={"not-learning"},
)  # fmt: skip
def schedule_stepped_each_batch(faulty: bool) -> Run:
    x, y = classes()
    net = mlp()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    plan = torch.optim.lr_scheduler.StepLR(optimiser, step_size=3, gamma=0.1)

    def step(i: int) -> torch.Tensor:
        r = rows(len(x))
        loss = descend(F.cross_entropy(net(x[r]), y[r]), optimiser)
        if faulty or i % 100 == 99:
            plan.step()
        return loss

    return Run(net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), quality=lambda: right(net, x, y))


@fault(
    "victorchall/EveryDream2trainer#175", "milesial/Pytorch-UNet#468",
    what="gradients are clipped while they are still multiplied by the scale of mixed precision",
    part="loop",
    names={"clipped-before-unscaling"}, says="Gradients are clipped before scaler.unscale_(optimizer).",
    words=r"unscale", enough=0.8,
)  # fmt: skip
def clipped_before_unscaling(faulty: bool) -> Run:
    x, y = classes()
    net = mlp()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu")

    def step(i: int) -> torch.Tensor:
        r = rows(len(x))
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(net(x[r]), y[r])
        optimiser.zero_grad()
        scaler.scale(loss).backward()
        if not faulty:
            scaler.unscale_(optimiser)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        scaler.step(optimiser)
        scaler.update()
        return loss

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), scaler=scaler, quality=lambda: right(net, x, y)
    )


@fault(
    "pytorch/pytorch#19916", "chemprop/chemprop#607", "Lightning-AI/pytorch-lightning#14085",
    what="the running statistics of a batch norm lag far behind the batches",
    part="network",
    names={"running-statistics"}, says="The running statistics of the batch norm are not those of the batches.",
    words=r"running (statistics|mean|var)", enough=-0.4,
)  # fmt: skip
def running_statistics_lag(faulty: bool) -> Run:
    x, y = classes(7168)
    x = x + 3
    (x, held), (y, answers) = x.split(6144), y.split(6144)
    net = nn.Sequential(
        nn.Linear(20, 64, bias=False), nn.BatchNorm1d(64, momentum=1e-4 if faulty else 0.1), nn.ReLU(), nn.Linear(64, 5)
    )
    return usual(
        net, x, y, optimiser=torch.optim.Adam(net.parameters(), lr=3e-3), steps=300, examined_after=True,
        evaluate=lambda: losses(net, F.cross_entropy, (held, answers), (x, y)),
        quality=lambda: -losses(net, F.cross_entropy, (held, answers), (x, y))[0],
    )  # fmt: skip


@fault(
    "Trusted-AI/adversarial-robustness-toolbox#1580",
    what="the optimiser steps the net that was copied, not the copy that is trained",
    part="loop",
    names={"no-step", "optimiser-of-another"}, enough=0.8,
    says="The optimiser steps parameters that are not the net's: it was made for another copy.",
)  # fmt: skip
def optimiser_of_a_copy(faulty: bool) -> Run:
    first = mlp()
    net = copy.deepcopy(first)
    return usual(net, *classes(), optimiser=torch.optim.Adam((first if faulty else net).parameters(), lr=3e-3))
