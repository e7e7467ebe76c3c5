"""Losses and labels: pairs of views, a class for nothing, a choice in the middle of the net, dropout that stays."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, outputs, right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.reports.losses import neighbours
from tests.faults.public.tasks import classes, rows
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "open-mmlab/mmselfsup#159",
    what="contrastive views lie one half after the other, and their pairs are numbered as if they took turns",
    part="labels",
    names={"pairs-misaligned", "labels-misaligned", "labels-unrelated"},
    says="Pairs that should agree are views of different examples.",
    words=r"pairs|views|misalign|do not belong|unrelated", enough=0.8, also={"not-learning"},
)  # fmt: skip
def pairs_numbered_otherwise(faulty: bool) -> Run:
    y = torch.randint(6, (1024,))
    core = torch.randn(6, 6)[y] * 1.2 + 0.3 * torch.randn(1024, 6)
    net = mlp(18, 16)
    optimiser = adam(net)

    def view(r: Tensor) -> Tensor:  # the last numbers are different in each view, and larger
        return torch.cat([core[r] + 0.2 * torch.randn(len(r), 6), 2.5 * torch.randn(len(r), 12)], 1)

    def step(i: int) -> Tensor:
        r = rows(1024, 64)
        z = F.normalize(net(torch.cat([view(r), view(r)])), dim=1)
        likeness = (z @ z.T / 0.2).masked_fill(torch.eye(128).bool(), -1e9)
        places = torch.arange(128)
        return descend(F.cross_entropy(likeness, places ^ 1 if faulty else (places + 64) % 128), optimiser)

    return Run(
        net=net, step=step, optimiser=optimiser, steps=400,
        quality=lambda: neighbours(net, view(torch.arange(1024)), y),
    )  # fmt: skip


@fault(
    "pytorch/vision#1952", "microsoft/computervision-recipes#315",
    what="objects are numbered from 0 for a detector whose 0 is the background: the first kind is never found",
    part="labels",
    names={"class-never-a-target"}, says="The last output is never a target, and class 0 is two things.",
    words=r"background|never (a |the )?(target|label)|(output|class) .*(never|no label)", enough=0.8,
    also={"unused-layer"},
)  # fmt: skip
def class_zero_is_background(faulty: bool) -> Run:
    x, kind = classes(2048, kinds=4)  # what is seen in a box: nothing (0) or one of three kinds
    thing = kind > 0
    y = torch.where(thing, kind - 1, 0) if faulty else kind
    net = mlp(20, 4)

    def quality() -> Tensor:  # a box whose best class is 0 is dropped
        found = outputs(net, x).argmax(1)
        return ((found == y) & (found > 0))[thing].float().mean()

    return usual(net, x, y, quality=quality)


@fault(
    "pytorch/pytorch#1339", "lanlan96/ARM3D#1",
    what="the first half of a net hands an argmax, made one-hot, to the second: no gradient comes back through it",
    part="network",
    names={"not-reached-by-gradient"}, says="The layers before the argmax get no gradient.",
    words=r"argmax|one[- ]hot|(no|without) gradient|differentia", enough=0.6,
)  # fmt: skip
def choice_by_argmax(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.choose, self.read = mlp(20, 8, 32), mlp(8, 5, 32)

        def forward(self, x: Tensor) -> Tensor:
            shares = self.choose(x).softmax(1)
            chosen = F.one_hot(shares.argmax(1), 8).float()
            return self.read(chosen if faulty else chosen + shares - shares.detach())

    x, y = classes()
    net = Net()
    return usual(net, x, y, optimiser=adam(net, 5e-3), steps=500)


@fault(
    "delip/PyTorchNLPBook#28", "Coderx7/SimpleNet#2", "rixwew/pytorch-fm#21",
    what="F.dropout without training=self.training: half of the units are dropped in evaluation too",
    part="network",
    names={"random-in-evaluation"}, says="In evaluation mode, the same input gives different outputs.",
    words=r"dropout|random|evaluation", enough=0.87,
)  # fmt: skip
def dropout_that_stays(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.head = nn.Linear(20, 32), nn.Linear(32, 32), nn.Linear(32, 5)

        def forward(self, x: Tensor) -> Tensor:
            h = F.dropout(self.first(x).relu(), 0.5, faulty or self.training)
            return self.head(F.dropout(self.second(h).relu(), 0.5, faulty or self.training))

    x, y = classes()
    net = Net()
    return usual(net, x, y, steps=500, quality=lambda: right(net, x, y))
