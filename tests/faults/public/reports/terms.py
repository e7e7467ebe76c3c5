"""Losses: terms that vanish, terms of the wrong sign, what is not given what it wants."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, outputs, right, usual
from tests.faults.public.nets import VAE, kl, mlp, pixelwise
from tests.faults.public.reports.losses import embedded_classes, neighbours
from tests.faults.public.tasks import blobs, rows
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "adambielski/siamese-triplet#3",
    what="the hardest negatives are chosen with the wrong comparison: the farthest, which cost nothing",
    part="loss",
    names={"loss-term-zero"}, says="The negatives add nothing to the loss: they are far beyond the margin.",
    words=r"negatives?|margin|collapse|term .*(0|zero|nothing)", also={"output-constant"}, enough=0.95,
)  # fmt: skip
def farthest_negatives(faulty: bool) -> Run:
    x, y = embedded_classes()
    net = mlp(10, 8)

    def loss(z: Tensor, y: Tensor) -> Tensor:
        distance = (z[:, None] - z).square().sum(2).add(1e-6).sqrt()
        alike = y[:, None] == y
        pulled = distance[alike].square().mean()
        others = distance[~alike]
        chosen = others.topk(int(alike.sum()), largest=faulty).values
        return pulled + (1 - chosen).relu().square().mean()

    return usual(net, x, y, loss, size=64, steps=400, quality=lambda: neighbours(net, x, y))


@fault(
    "jakeret/tf_unet#15", "ScrollPrize/villa#1644",
    what="the Dice loss is given logits, not probabilities",
    part="loss",
    names={"loss-of-logits"}, says="The Dice loss wants probabilities and is given numbers outside of 0 to 1.",
    words=r"sigmoid|probabilit|outside of 0", enough=0.75,
)  # fmt: skip
def dice_of_logits(faulty: bool) -> Run:
    x, y = blobs()
    net = pixelwise()

    def dice(p: Tensor, y: Tensor) -> Tensor:
        return 2 * (p * y).sum() / (p.sum() + y.sum() + 1e-5)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return 1 - dice(out[:, 0] if faulty else out[:, 0].sigmoid(), y)

    def quality() -> Tensor:
        return dice((outputs(net, x)[:, 0] > 0).float(), y)

    return usual(net, x, y, loss, optimiser=adam(net, 3e-3), steps=200, quality=quality)


@fault(
    "dev4488/VAE_gumble_softmax#1", "FluxML/model-zoo#147",
    what="the KL of a VAE has a minus too many: latents run away from the prior",
    part="loss",
    names={"loss-unbounded", "loss-sign", "loss-terms"},
    says="The loss falls without bound: a term of it has the wrong sign.",
    words=r"sign|without (a )?bound|unbounded|minus", enough=-20.0,
)  # fmt: skip
def kl_of_wrong_sign(faulty: bool) -> Run:
    x = torch.tanh(torch.randn(1024, 3) @ torch.randn(3, 64))
    net = VAE()

    def loss(out: tuple[Tensor, Tensor, Tensor], x: Tensor, sign: float | None = None) -> Tensor:
        again, mean, logvar = out
        return (again - x).square().sum(1).mean() + (sign or (-1 if faulty else 1)) * kl(mean, logvar)

    return usual(net, x, x, loss, size=64, steps=400, quality=lambda: -float(loss(outputs(net, x), x, 1.0)))


@fault(
    "zou-longkun/GAST#3",
    what="the gradient of the domain classifier is not reversed: features keep what tells the domains apart",
    part="loss",
    names={"adversary-helped"}, says="The adversary's loss falls with the net's: its gradient is not reversed.",
    words=r"revers|advers|domain", enough=0.8,
)  # fmt: skip
def gradient_not_reversed(faulty: bool) -> Run:
    class Turn(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx, grad: Tensor) -> Tensor:
            return grad if faulty else -grad

    def made(shifted: bool, n: int = 2048) -> tuple[Tensor, Tensor]:
        y = torch.randint(2, (n,))
        true = (2.0 * y - 1)[:, None] * 0.8 + torch.randn(n, 4)
        easy = (2.0 * y - 1)[:, None] * 2 + 0.3 * torch.randn(n, 2)  # there, all of it is one value
        return torch.cat([true, torch.full((n, 2), 3.0) + 0.3 * torch.randn(n, 2) if shifted else easy], 1), y

    (x, y), (target, answers) = made(False), made(True)
    body, head, domain = (
        nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 8), nn.ReLU()),
        nn.Linear(8, 2),
        mlp(8, 1, 32),
    )
    net = nn.ModuleDict({"body": body, "head": head, "domain": domain})
    optimiser = adam(net)
    bce = F.binary_cross_entropy_with_logits

    def step(i: int) -> Tensor:
        a, b = rows(2048, 64), rows(2048, 64)
        z = body(torch.cat([x[a], target[b]]))
        told = domain(Turn.apply(z))[:, 0]
        where = torch.cat([torch.zeros(64), torch.ones(64)])
        return descend(F.cross_entropy(head(z[:64]), y[a]) + bce(told, where), optimiser)

    return Run(
        net=net, step=step, optimiser=optimiser, steps=600,
        quality=lambda: right(nn.Sequential(body, head), target, answers),
    )  # fmt: skip


@fault(
    "andylolu2/jax-vqvae-gpt#2",
    what="the codebook's loss is taken after the straight-through step: the codes get no gradient",
    part="loss",
    names={"not-reached-by-gradient"}, words=r"codebook|straight|detach|codes", enough=0.8,
)  # fmt: skip
def codes_never_learn(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encode, self.decode = mlp(16, 4, 32), mlp(4, 16, 32)
            self.codes = nn.Parameter(torch.randn(16, 4) * 0.3)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            z = self.encode(x)
            code = self.codes[torch.cdist(z, self.codes).argmin(1)]
            through = z + (code - z).detach()
            pulled = F.mse_loss(through if faulty else code, z.detach())
            return self.decode(through), pulled + F.mse_loss(z, code.detach())

    y = torch.randint(8, (1024,))
    x = torch.randn(8, 16)[y] + 0.1 * torch.randn(1024, 16)
    net = Net()

    def loss(out: tuple[Tensor, Tensor], x: Tensor) -> Tensor:
        return F.mse_loss(out[0], x) + out[1]

    def quality() -> Tensor:
        return 1 - (outputs(net, x)[0] - x).square().mean() / x.var(0).mean()

    return usual(net, x, x, loss, size=64, optimiser=adam(net, 5e-3), steps=500, quality=quality)
