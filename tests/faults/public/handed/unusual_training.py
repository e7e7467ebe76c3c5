"""Healthy training in unusual loops, numbers and losses."""

import torch
from tests.faults.public.case import Run, healthy
from tests.faults.public.loops import adam, descend, explained, outputs, right, usual
from tests.faults.public.nets import TinyGPT, mlp, over_time
from tests.faults.public.tasks import chain, classes, curve, rows
from torch import Tensor, nn
from torch.nn import functional as F


@healthy(what="gradients of four minibatches added up, the step reported once", enough=0.9)
def accumulation() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = adam(net)

    def step(i: int) -> float:
        optimiser.zero_grad()
        total = 0.0
        for _ in range(4):
            r = rows(len(x), 16)
            loss = F.cross_entropy(net(x[r]), y[r]) / 4
            loss.backward()
            total += loss.item()
        optimiser.step()
        return total

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: right(net, x, y))


@healthy(what="the watcher's step after each minibatch, the optimiser's after four", enough=0.9)
def accumulation_told_each_batch() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x), 16)
        loss = F.cross_entropy(net(x[r]), y[r]) / 4
        loss.backward()
        if i % 4 == 3:
            optimiser.step()
            optimiser.zero_grad()
        return loss

    return Run(net=net, step=step, optimiser=optimiser, steps=600, quality=lambda: right(net, x, y))


def _gan(watched: str, *, hinge: bool = False) -> Run:
    real = torch.randn(2048, 2) * 0.3 + torch.tensor([2.0, -1.0])
    g = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    d = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    og, od = (torch.optim.Adam(one.parameters(), lr=2e-3, betas=(0.5, 0.99)) for one in (g, d))

    def bce(out: Tensor, is_real: int) -> Tensor:
        return F.binary_cross_entropy_with_logits(out, torch.full_like(out, is_real))

    def step(i: int) -> Tensor:
        true, fake = real[rows(2048, 64)], g(torch.randn(64, 4))
        if hinge:
            ld = descend((1 - d(true)).relu().mean() + (1 + d(fake.detach())).relu().mean(), od)
            lg = descend(-d(fake).mean(), og)
        else:
            ld = descend(bce(d(true), 1) + bce(d(fake.detach()), 0), od)
            lg = descend(bce(d(fake), 1), og)
        return {"g": lg, "d": ld, "both": lg + ld}[watched]

    def quality() -> float:
        return -float((outputs(g, torch.randn(512, 4)).mean(0) - real.mean(0)).norm())

    nets = {"g": g, "d": d, "both": nn.ModuleDict({"g": g, "d": d})}
    given = {"g": og, "d": od, "both": (og, od)}[watched]
    return Run(net=nets[watched], step=step, optimiser=given, steps=600, quality=quality)


@healthy(what="the generator of a GAN, watched alone", enough=-1.0)
def gan_generator() -> Run:
    return _gan("g")


@healthy(what="the discriminator of a GAN, watched alone", enough=-1.0)
def gan_discriminator() -> Run:
    return _gan("d")


@healthy(what="both nets of a GAN in one module", enough=-1.0)
def gan_both() -> Run:
    return _gan("both")


@healthy(what="the generator of a GAN with a hinge loss", enough=-1.0)
def gan_hinge() -> Run:
    return _gan("g", hinge=True)


@healthy(what="LBFGS with a line search on the whole data", enough=0.9)
def lbfgs() -> Run:
    x, y = curve(256)
    net = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1))
    optimiser = torch.optim.LBFGS(net.parameters(), lr=0.5, max_iter=5, line_search_fn="strong_wolfe")

    def step(i: int) -> Tensor:
        def closure() -> Tensor:
            optimiser.zero_grad()
            loss = F.mse_loss(net(x).squeeze(1), y)
            loss.backward()
            return loss

        return optimiser.step(closure)

    return Run(net=net, step=step, optimiser=optimiser, steps=60, quality=lambda: explained(net, x, y))


@healthy(what="autocast to bfloat16", enough=0.9)
def autocast_bf16() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(net(x[r]), y[r])
        return descend(loss, optimiser)

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: right(net, x, y))


@healthy(what="weights and inputs in bfloat16", enough=0.85)
def pure_bf16() -> Run:
    x, y = classes()
    return usual(mlp().bfloat16(), x.bfloat16(), y)


@healthy(what="the rate warms up from 0, gradients are clipped", enough=0.8)
def warmup_from_zero() -> Run:
    ids, net = chain(), TinyGPT()
    x, y = ids[:, :-1], ids[:, 1:]
    optimiser = adam(net)
    plan = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda i: min(1.0, i / 50))

    def step(i: int) -> Tensor:
        r = rows(len(x))
        loss = over_time(net(x[r]), y[r])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        plan.step()
        return loss

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), loss=over_time,
        quality=lambda: right(net, x, y),
    )  # fmt: skip


@healthy(what="an average of the weights beside, and a one-cycle schedule", enough=0.9)
def ema_and_one_cycle() -> Run:
    x, y = classes()
    net = mlp()
    mean = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.98))
    optimiser = adam(net)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=300)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        loss = descend(F.cross_entropy(net(x[r]), y[r]), optimiser)
        mean.update_parameters(net)
        if i < 299:
            plan.step()
        return loss

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: right(mean, x, y))


def _two_optimisers(*, given: bool) -> Run:
    x, y = classes()
    net = mlp()
    a, b = torch.optim.SGD(net[0].parameters(), lr=0.05), adam(net[2:], 3e-3)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        return descend(F.cross_entropy(net(x[r]), y[r]), a, b)

    return Run(net=net, step=step, optimiser=(a, b) if given else None, quality=lambda: right(net, x, y))


@healthy(what="two optimisers for one net, both given", enough=0.9)
def two_optimisers_given() -> Run:
    return _two_optimisers(given=True)


@healthy(what="two optimisers for one net, none given", enough=0.9)
def two_optimisers_found() -> Run:
    return _two_optimisers(given=False)


@healthy(what="targets are probabilities, smoothed once more", enough=0.9)
def soft_labels_and_smoothing() -> Run:
    def loss(out, y):
        return F.cross_entropy(out, F.one_hot(y, 5).float() * 0.9 + 0.02, label_smoothing=0.05)

    return usual(mlp(), *classes(), loss)


@healthy(what="several labels at once, each rare", enough=0.8)
def imbalanced_multilabel() -> Run:
    x = torch.randn(2048, 20)
    y = (x[:, :6] > 1.3).float()
    net = mlp(20, 6)

    def quality() -> Tensor:  # the share found of what is there
        return ((outputs(net, x) > 0) & (y > 0)).sum() / y.sum()

    return usual(net, x, y, F.binary_cross_entropy_with_logits, steps=400, quality=quality)


@healthy(what="contrastive learning: two noisy views of an example against the others of the minibatch", enough=0.8)
def contrastive() -> Run:
    x = torch.randn(512, 8) @ torch.randn(8, 20)
    net = mlp(20, 16)
    optimiser = adam(net)

    def views(r: Tensor) -> tuple[Tensor, Tensor]:
        return tuple(F.normalize(net(x[r] + 0.3 * torch.randn(len(r), 20)), dim=1) for _ in range(2))

    def step(i: int) -> Tensor:
        a, b = views(rows(512, 64))
        return descend(F.cross_entropy(a @ b.T / 0.1, torch.arange(64)), optimiser)

    def quality() -> Tensor:
        a, b = views(torch.arange(128))
        return ((a @ b.T).argmax(1) == torch.arange(128)).float().mean()

    return Run(net=net, step=step, optimiser=optimiser, quality=quality)


@healthy(what="policy gradients on a bandit: the loss hovers about 0 and says nothing", enough=0.9)
def policy_gradient() -> Run:
    x = torch.randn(1024, 8)
    best = x[:, :4].argmax(1)
    net = mlp(8, 4, 32)
    optimiser = adam(net, 5e-3)

    def step(i: int) -> Tensor:
        r = rows(1024, 128)
        chosen = torch.distributions.Categorical(logits=net(x[r]))
        action = chosen.sample()
        reward = (action == best[r]).float()
        return descend(-(chosen.log_prob(action) * (reward - reward.mean())).mean(), optimiser)

    return Run(net=net, step=step, optimiser=optimiser, steps=500, quality=lambda: right(net, x, best))


@healthy(what="answers that are sure beyond float32 for two of four classes", enough=0.85)
def confident() -> Run:
    y = torch.randint(4, (2048,))
    places = torch.tensor([[1.0, 0, 0, 0], [-1, 0, 0, 0], [0, 6, 0, 0], [0, 0, 6, 0]])
    net = mlp(4, 4)
    return usual(net, places[y] + torch.randn(2048, 4), y, optimiser=adam(net, 1e-2), size=64, steps=800)


def _segmentation(*, permuted: bool) -> Run:
    x = torch.randn(512, 3, 8, 8)
    y = x.argmax(1)
    net = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 3, 1))

    def loss(out, y):
        return (
            F.cross_entropy(out.permute(0, 2, 3, 1).reshape(-1, 3), y.reshape(-1))
            if permuted
            else F.cross_entropy(out, y)
        )

    return usual(net, x, y, loss, optimiser=adam(net, 1e-2), quality=lambda: right(net, x, y, 1))


@healthy(what="logits (batch, classes, h, w), made rows by a right permute and reshape", enough=0.9)
def segmentation_permuted() -> Run:
    return _segmentation(permuted=True)


@healthy(what="logits (batch, classes, h, w), given as they are", enough=0.9)
def segmentation_as_it_is() -> Run:
    return _segmentation(permuted=False)
