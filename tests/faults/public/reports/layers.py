"""The network: norms of one number, graphs without their own nodes, embeddings that are frozen unasked."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, usual
from tests.faults.public.tasks import classes
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "pytorch/pytorch#19250", "pytorch/pytorch#11991",
    what="a group norm with as many groups as channels on (batch, channels): each number is normalised alone, to 0",
    part="network",
    names={"norm-of-one-number", "vanishing-signal"},
    says="A norm has one number to work on, and gives 0 whatever it is.",
    words=r"norm .*(one (number|value|element)|alone|0)", enough=0.8,
    also={"input-ignored", "dead-units", "not-learning"},
)  # fmt: skip
def norm_of_one_number(faulty: bool) -> Run:
    def block(features: int) -> list[nn.Module]:
        return [nn.Linear(features, 64), nn.GroupNorm(64 if faulty else 4, 64), nn.ReLU()]

    return usual(nn.Sequential(*block(20), *block(64), nn.Linear(64, 5)), *classes())


@fault(
    "danielegrattarola/spektral#21", "pyg-team/pytorch_geometric#6251",
    what="a graph convolution without self-loops: a node never sees its own features",
    part="network",
    names={"own-features-lost"}, says="A node's outputs do not depend on its own features: there are no self-loops.",
    words=r"self-?loop|own (features|input)", also={"input-ignored", "labels-unrelated", "not-learning"}, enough=0.6,
)  # fmt: skip
def no_self_loops(faulty: bool) -> Run:
    nodes = 300
    x = torch.randn(nodes, 8)
    y = x[:, :4].argmax(1)
    a = (torch.rand(nodes, nodes) < 0.01).float().fill_diagonal_(0)
    a = a + (0 if faulty else 4) * torch.eye(nodes)
    a = a / a.sum(1, keepdim=True).clamp(min=1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(8, 32), nn.Linear(32, 4)

        def forward(self, x: Tensor, around: Tensor) -> Tensor:
            return self.two((around @ self.one(x)).relu())

    net = Net()
    optimiser = adam(net, 1e-2)

    def step(i: int) -> Tensor:
        return descend(F.cross_entropy(net(x, a)[:200], y[:200]), optimiser)

    def quality() -> Tensor:  # on the nodes whose labels were not shown
        return (net(x, a).argmax(1) == y)[200:].float().mean()

    return Run(net=net, step=step, optimiser=optimiser, batch=((x, a), y), steps=200, quality=quality)


@fault(
    "huggingface/optimum-graphcore#304", "RUCAIBox/RecBole#2046",
    what="Embedding.from_pretrained of random vectors: it freezes them unless it is told otherwise",
    part="network",
    names={"frozen-untrained"}, says="The embedding is frozen, and its vectors look random.",
    words=r"frozen|freeze|requires_grad", enough=0.9,
)  # fmt: skip
def embedding_frozen_unasked(faulty: bool) -> Run:
    net = nn.Sequential(nn.Embedding.from_pretrained(torch.randn(40, 3), freeze=faulty), nn.Flatten(), nn.Linear(6, 8))
    x = torch.randint(40, (2048, 2))
    return usual(net, x, torch.randint(8, (40,))[x[:, 0]], optimiser=adam(net, 1e-2), steps=400)
