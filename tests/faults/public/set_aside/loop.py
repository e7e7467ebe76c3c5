"""The training loop and its evaluation: what is kept, copied and loaded, and how classes are numbered."""

import copy
import math

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, losses, outputs, right
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import classes, rows
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "WenjieDu/PyPOTS#667", "thunlp/OpenKE#131", "zhangj111/astnn#8",
    what="the best weights are kept as net.state_dict() and not copied: they go on to change, the last are restored",
    part="evaluation",
    names={"best-not-kept"}, says="What was kept as the best state is the net's own memory: copy it.",
    words=r"state_dict|deep ?cop|reference|best (state|weights)|restor", enough=-1.8, also={"overfitting"},
)  # fmt: skip
def best_weights_by_reference(faulty: bool) -> Run:
    x, y = classes(576)
    (x, held), (y, answers) = x.split([64, 512]), y.split([64, 512])
    y = torch.where(torch.rand(64) < 0.2, torch.randint(5, (64,)), y)
    net = mlp()
    optimiser = adam(net, 1e-2)
    least, best, steps = math.inf, net.state_dict(), 150

    def step(i: int) -> Tensor:
        nonlocal least, best
        r = rows(len(x))
        loss = descend(F.cross_entropy(net(x[r]), y[r]), optimiser)
        if i % 5 == 4:
            now = float(F.cross_entropy(outputs(net, held), answers))
            if now < least:
                least, best = now, net.state_dict() if faulty else copy.deepcopy(net.state_dict())
        if i == steps - 1:
            net.load_state_dict(best)
        return loss

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), loss=F.cross_entropy, steps=steps,
        quality=lambda: -F.cross_entropy(outputs(net, held), answers),
        evaluate=lambda: losses(net, F.cross_entropy, (held, answers), (x, y)),
    )  # fmt: skip


@fault(
    "CuriousAI/mean-teacher#9", "pytorch/ignite#2590",
    what="the average of a net with batch norms takes in parameters only: its running statistics are the first",
    part="evaluation",
    names={"running-statistics", "evaluated-another-net", "evaluation-differs", "average-without-buffers"},
    says="The net that is evaluated has batch norms that have never seen a batch.",
    words=r"buffer|running|average|EMA|another net|batch norm", enough=0.72,
)  # fmt: skip
def average_without_buffers(faulty: bool) -> Run:
    x, y = classes(1536)
    (x, held), (y, answers) = x.split(1024), y.split(1024)
    layers: list[nn.Module] = []
    for features in (20, 64, 64, 64, 64):
        layers += [nn.Linear(features, 64), nn.BatchNorm1d(64), nn.ReLU()]
    net = nn.Sequential(*layers, nn.Linear(64, 5))
    mean = copy.deepcopy(net).requires_grad_(False)
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x), 64)
        loss = descend(F.cross_entropy(net(x[r]), y[r]), optimiser)
        with torch.no_grad():
            for ours, theirs in zip(mean.parameters(), net.parameters(), strict=True):
                ours.lerp_(theirs, 0.02)
            for ours, theirs in zip(mean.buffers(), net.buffers(), strict=True):
                ours.copy_(ours if faulty else theirs)
        return loss

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), loss=F.cross_entropy, steps=250,
        quality=lambda: right(mean, held, answers),
        evaluate=lambda: losses(mean, F.cross_entropy, (held, answers), (x, y)),
    )  # fmt: skip


@fault(
    "uzh-rpg/rpg_event_representation_learning#2", "huggingface/pytorch-image-models#957",
    what="the held-out classes are numbered in another order than the training ones, as the folders were listed",
    part="evaluation",
    names={"evaluation-labels-differ"}, says="The held-out labels are numbered otherwise than the training labels.",
    words=r"(held-out|evaluation|validation) .*(labels|number|order)|class(es)? .*(order|number)", enough=0.8,
)  # fmt: skip
def classes_in_another_order(faulty: bool) -> Run:
    x, y = classes(1536)
    (x, held), (y, answers) = x.split(1024), y.split(1024)
    if faulty:
        answers = torch.tensor([3, 0, 4, 1, 2])[answers]
    net = mlp()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        return descend(F.cross_entropy(net(x[r]), y[r]), optimiser)

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), loss=F.cross_entropy,
        quality=lambda: right(net, held, answers),
        evaluate=lambda: losses(net, F.cross_entropy, (held, answers), (x, y)),
    )  # fmt: skip


@fault(
    "mapbox/robosat#169", "naoto0804/pytorch-inpainting-with-partial-conv#11",
    what="fine-tuning loads the state of the old optimiser too, and with it the rate at which the first training ended",
    part="loop",
    names={"learning-rate-too-low", "rate-ended"}, says="The learning rate that was asked for was overwritten.",
    words=r"schedule|checkpoint|(learning )?rate .*(small|low|overwrit|loaded)", enough=0.8,
)  # fmt: skip
def rate_from_the_checkpoint(faulty: bool) -> Run:
    x, y = classes()
    old, steps = mlp(), 150
    first = adam(old)
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(first, steps, eta_min=1e-6)
    for _ in range(steps):
        r = rows(len(x))
        descend(F.cross_entropy(old(x[r]), y[r]), first)
        plan.step()
    y = (y + 1) % 5  # the new task
    net = mlp()
    net.load_state_dict(old.state_dict())
    optimiser = adam(net, 1e-3)
    if faulty:
        optimiser.load_state_dict(first.state_dict())

    def step(i: int) -> Tensor:
        r = rows(len(x))
        return descend(F.cross_entropy(net(x[r]), y[r]), optimiser)

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), loss=F.cross_entropy, steps=250,
        quality=lambda: right(net, x, y),
    )  # fmt: skip
