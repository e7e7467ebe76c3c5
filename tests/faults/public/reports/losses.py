"""Losses: signs, scales, terms that are swapped."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, outputs, right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import classes, rows
from torch import Tensor, nn
from torch.nn import functional as F


def embedded_classes(n: int = 1024) -> tuple[Tensor, Tensor]:
    """Return points in eight noisy clusters of two pieces each, and their clusters."""
    y = torch.randint(8, (n,))
    piece = torch.randint(2, (n,))
    return torch.randn(16, 10)[2 * y + piece] * 1.5 + torch.randn(n, 10) * 0.5, y


def neighbours(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return the share of examples whose nearest neighbour among the outputs is of their own class."""
    z = outputs(net, x)
    return (y[(torch.cdist(z, z) + 1e9 * torch.eye(len(z))).argmin(1)] == y).float().mean()


@fault(
    "VinhLoiIT/signet-pytorch#2",
    what="a contrastive loss that takes 1 for pairs that differ, fed with 1 for pairs that are alike",
    part="labels",
    names={"pairs-inverted"},
    says="Pairs of one class are pushed apart, others pulled together: the labels are inverted.",
    words=r"pairs|invert|wrong way round", enough=0.8,
)  # fmt: skip
def pairs_inverted(faulty: bool) -> Run:
    x, y = embedded_classes()
    left, right_ = rows(1024, 4096), rows(1024, 4096)
    right_ = torch.where(torch.rand(4096) < 0.5, (y[left][:, None] == y).float().multinomial(1)[:, 0], right_)
    alike = (y[left] == y[right_]).float()

    class Twin(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = mlp(10, 8)

        def forward(self, pair: Tensor) -> Tensor:
            return (self.body(pair[:, 0]) - self.body(pair[:, 1])).square().sum(1).add(1e-6).sqrt()

    def loss(distance: Tensor, alike: Tensor) -> Tensor:
        differs = alike if faulty else 1 - alike
        return ((1 - differs) * distance.square() + differs * (2 - distance).relu().square()).mean()

    net = Twin()
    pairs = torch.stack([x[left], x[right_]], 1)
    return usual(net, pairs, alike, loss, size=64, steps=400, quality=lambda: neighbours(net.body, x, y))


@fault(
    "ExplainableML/czsl#30", "FlagOpen/FlagEmbedding#1008",
    what="cosines are given to a cross-entropy as they are: no answer can ever be sure",
    part="loss",
    names={"logits-bounded"}, says="The logits are bounded by 1: the loss cannot fall below its floor. Scale them.",
    words=r"bounded|cosine|temperature|scale .*logits|logits .*(scale|between)", enough=0.8,
)  # fmt: skip
def cosines_without_scale(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.kinds = mlp(20, 16), nn.Parameter(torch.randn(10, 16))

        def forward(self, x: Tensor) -> Tensor:
            return F.normalize(self.body(x), dim=1) @ F.normalize(self.kinds, dim=1).T * (1 if faulty else 8)

    x, y = classes(kinds=10)
    net = Net()

    def quality() -> Tensor:  # how sure the right answer is
        return outputs(net, x).softmax(1).gather(1, y[:, None]).mean()

    return usual(net, x, y, steps=500, quality=quality)


class Flow(nn.Module):
    """Affine couplings of points in the plane; gives the latent and the log of the determinant."""

    def __init__(self, layers: int = 4) -> None:
        super().__init__()
        self.couplings = nn.ModuleList(
            nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 2)) for _ in range(layers)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        volume = torch.zeros(len(x))
        for one in self.couplings:
            scale, shift = one(x[:, :1]).chunk(2, 1)
            scale = 2 * torch.tanh(scale / 2)
            x = torch.cat([x[:, 1:] * scale.exp() + shift, x[:, :1]], 1)
            volume = volume + scale[:, 0]
        return x, volume


def crescent(n: int = 2048) -> Tensor:
    """Return points on a noisy arc."""
    angle = torch.rand(n) * 3.1416
    return torch.stack([angle.cos(), angle.sin()], 1) * 2 + 0.1 * torch.randn(n, 2)


@fault(
    "danielward27/flowjax#208", "VincentStimper/normalizing-flows#27",
    what="the log-determinant of a normalising flow has the wrong sign",
    part="loss",
    names={"loss-unbounded", "loss-sign"}, says="The loss falls without bound: a term of it has the wrong sign.",
    words=r"sign|without (a )?bound|unbounded", enough=-3.0,
)  # fmt: skip
def determinant_of_wrong_sign(faulty: bool) -> Run:
    x, net = crescent(), Flow()

    def loss(out: tuple[Tensor, Tensor], _: Tensor, sign: float | None = None) -> Tensor:
        z, volume = out
        return (0.5 * z.square().sum(1) + 1.838 - (sign or (-1 if faulty else 1)) * volume).mean()

    def quality() -> float:
        return -float(loss(outputs(net, x), x, 1.0))

    return usual(net, x, x, loss, size=128, steps=500, quality=quality)


@fault(
    "amanshenoy/multilogue-net#21", "mlcommons/GaNDLF#209",
    what="class weights the wrong way round: the rare class counts least",
    part="loss",
    names={"class-never-right", "class-weights"}, says="One class is hardly ever right, and has the smallest weight.",
    words=r"class(es)? .*(never|hardly|weight)|weight.* class", enough=0.8,
)  # fmt: skip
def class_weights_swapped(faulty: bool) -> Run:
    x, _ = classes(2048)
    y = (x[:, 0] + x[:, 1] + 0.7 * torch.randn(2048) > 2.0).long()  # about one in ten
    share = torch.bincount(y) / len(y)
    net = mlp(out=2)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(out, y, share if faulty else 1 / share)

    def quality() -> float:  # the mean over both classes
        return sum(right(net, x[y == k], y[y == k]) for k in (0, 1)) / 2

    return usual(net, x, y, loss, optimiser=adam(net, 1e-3), steps=300, quality=quality)


@fault(
    "eriklindernoren/PyTorch-GAN#20", "caogang/wgan-gp#25", "Zeleni9/pytorch-wgan#40",
    what="the norm of the gradient penalty is taken along the channels only, for each pixel",
    part="loss",
    names={"penalty-axis"}, says="The gradient's norm is taken along one axis: flatten each example first.",
    words=r"(norm|penalty) .*(axis|pixel|flatten|dim)", enough=-0.5,
)  # fmt: skip
def penalty_for_each_pixel(faulty: bool) -> Run:
    real = torch.randn(1024, 1, 6, 6) * 0.3 + torch.linspace(-1, 1, 6)
    g = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 36), nn.Unflatten(1, (1, 6, 6)))
    d = nn.Sequential(nn.Conv2d(1, 16, 3), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(256, 1))
    og, od = (torch.optim.Adam(one.parameters(), lr=1e-3, betas=(0.5, 0.9)) for one in (g, d))

    def slope(x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        return torch.autograd.grad(d(x).sum(), x, create_graph=True)[0]

    def step(i: int) -> Tensor:
        true, fake = real[rows(1024, 64)], g(torch.randn(64, 8)).detach()
        share = torch.rand(64, 1, 1, 1)
        between = slope(share * true + (1 - share) * fake)
        norm = between.norm(2, dim=1) if faulty else between.flatten(1).norm(2, dim=1)
        loss = descend(d(fake).mean() - d(true).mean() + 10 * (norm - 1).square().mean(), od)
        if i % 5 == 4:
            descend(-d(g(torch.randn(64, 8))).mean(), og)
        return loss

    def quality() -> float:  # how far the critic's slope is from 1
        return -float((slope(real[:256]).flatten(1).norm(2, dim=1).mean() - 1).abs())

    return Run(net=d, step=step, optimiser=od, steps=400, quality=quality)
