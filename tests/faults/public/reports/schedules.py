"""The training loop: schedules, accumulation, averages of weights."""

import copy

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, losses, right
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import classes, rows
from torch import Tensor
from torch.nn import functional as F


@fault(
    "md-mohaiminul/ViS4mer#4", "FunctionLab/selene#115",
    what="ReduceLROnPlateau is given an accuracy and waits for it to fall: the rate goes down while all is well",
    part="loop",
    names={"rate-ended"}, says="The schedule brought the learning rate to almost 0 while the loss was still falling.",
    words=r"schedule|rate (fell|falls|was (lowered|reduced)|goes down)|plateau", also={"not-learning"}, enough=0.8,
)  # fmt: skip
def plateau_of_the_wrong_kind(faulty: bool) -> Run:
    x, y = classes()
    net = mlp()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    plan = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, "min" if faulty else "max", patience=1)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        loss = descend(F.cross_entropy(net(x[r]), y[r]), optimiser)
        if i % 8 == 7:
            plan.step(right(net, x, y))
        return loss

    return Run(net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), quality=lambda: right(net, x, y))


@fault(
    "huggingface/transformers#2995", "eriklindernoren/PyTorch-YOLOv3#325",
    what="an epoch has fewer minibatches than are to be accumulated, and forgets the gradients at its start",
    part="loop",
    names={"no-step"}, enough=0.8,
)  # fmt: skip
def accumulation_never_complete(faulty: bool) -> Run:
    x, y = classes()
    net = mlp()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        at = i % 8
        if at == 0:
            optimiser.zero_grad()
        r = rows(len(x))
        loss = F.cross_entropy(net(x[r]), y[r])
        loss.backward()
        if (at + 1) % (16 if faulty else 2) == 0:
            optimiser.step()
            optimiser.zero_grad()
        return loss

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), steps=400, quality=lambda: right(net, x, y)
    )


@fault(
    "ostris/ai-toolkit#1034",
    what="the average of the weights is moved away from them, and is what is evaluated and kept",
    part="evaluation",
    names={"average-diverges", "evaluated-another-net", "evaluation-differs"},
    says="The held-out loss is of another net than the one that is trained.",
    words=r"average|EMA|another net", enough=0.8,
)  # fmt: skip
def average_runs_away(faulty: bool) -> Run:
    x, y = classes(1536)
    (x, held), (y, answers) = x.split(1024), y.split(1024)
    net = mlp()
    mean = copy.deepcopy(net)
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        loss = descend(F.cross_entropy(net(x[r]), y[r]), optimiser)
        with torch.no_grad():
            for ours, theirs in zip(mean.parameters(), net.parameters(), strict=True):
                gap = ours - theirs
                ours.add_(gap if faulty else -gap, alpha=0.02)
        return loss

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), quality=lambda: right(mean, held, answers),
        evaluate=lambda: losses(mean, F.cross_entropy, (held, answers), (x, y)),
    )  # fmt: skip
