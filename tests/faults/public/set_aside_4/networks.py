"""Networks that compute something else than was meant, and a loss that rewards saying yes."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import outputs, usual
from tests.faults.public.tasks import products
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "facebookresearch/neuromorph#2",
    what="a net of points takes the maximum over features where it should over points: no point hears of the others",
    part="network",
    names={"points-alone"}, says="Each output depends on its own point only.",
    words=r"(own|single) (point|place|position|element)|(depends?|independent) .*(others?|points?|position|elements?)",
    enough=0.85,
)  # fmt: skip
def maximum_over_features(faulty: bool) -> Run:
    x = torch.randn(1024, 12, 3)
    y = (x[..., 0] > x[..., 1].mean(1, keepdim=True) + x[..., 2].amax(1, keepdim=True) - 1.6).float()

    class Points(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.third = nn.Linear(3, 48), nn.Linear(96, 48), nn.Linear(96, 48)
            self.head = nn.Linear(48, 1)

        def joined(self, h: Tensor) -> Tensor:
            return torch.cat([h, h.amax(2 if faulty else 1, keepdim=True).expand_as(h)], 2)

        def forward(self, x: Tensor) -> Tensor:
            h = self.joined(self.first(x).relu())
            h = self.joined(self.second(h).relu())
            return self.head(self.third(h).relu())[..., 0]

    net = Points()
    return usual(
        net, x, y, F.binary_cross_entropy_with_logits, steps=600,
        quality=lambda: ((outputs(net, x) > 0).float() == y).float().mean(),
    )  # fmt: skip


@fault(
    "cyclomon/UNSB#29", "taki0112/ResNeXt-Tensorflow#1",
    what="in a loop over layers each is given the block's input, out = layer(x): only the last one counts",
    part="network",
    names={"unused-layer", "not-reached-by-gradient", "not-in-loss"}, says="Layers whose output is not used.",
    words=r"(output|layer)s? .*(not used|unused|thrown away|no effect)", also={"no-nonlinearity", "not-learning"},
    enough=0.85,
)  # fmt: skip
def each_layer_given_the_input(faulty: bool) -> Run:
    x, y = products(1024, 8)

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 48)])

        def forward(self, x: Tensor) -> Tensor:
            out = x
            for layer in self.layers:
                out = layer(x if faulty else out)
            return x + out

    net = nn.Sequential(nn.Linear(8, 48), Block(), Block(), Block(), nn.Linear(48, 1))
    return usual(
        net, x, y, F.binary_cross_entropy_with_logits, steps=500,
        quality=lambda: ((outputs(net, x) > 0).float() == y).float().mean(),
    )  # fmt: skip


@fault(
    "yqyao/SSD_Pytorch#32",
    what="the focal loss weighs negatives by the probability that they are none: saying yes to all costs nothing",
    part="loss",
    names={"class-not-in-loss", "loss-weights"}, says="Examples of class 0 that are wrong count less than right ones.",
    words=r"(class|negatives?|label) .*(no gradient|count|weigh|cost)|focal|always answers|one answer",
    also={"not-learning", "loss-unbounded"}, enough=0.85,
)  # fmt: skip
def focal_weight_of_negatives(faulty: bool) -> Run:
    x = torch.randn(2048, 12)
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 1.5).float()[:, None]

    def loss(out: Tensor, y: Tensor) -> Tensor:
        p = out.sigmoid()
        away = 1 - p if faulty else p
        no, yes = F.softplus(out), F.softplus(-out)
        return (0.5 * (1 - p).square() * yes * y + 0.5 * away.square() * no * (1 - y)).mean()

    net = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))

    def quality() -> float:
        says = (outputs(net, x) > 0).float()
        return min(float((says[y == kind] == kind).float().mean()) for kind in (0, 1))

    return usual(net, x, y, loss, size=64, steps=500, quality=quality)
