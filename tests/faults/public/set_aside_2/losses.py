"""Losses: boxes, forces, sounds, pictures, rewards."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, outputs, usual
from tests.faults.public.nets import VAE, kl, values
from tests.faults.public.tasks import rows
from torch import Tensor, nn
from torch.nn import functional as F


def _corners(boxes: Tensor) -> Tensor:
    """Return boxes (N, 4) of centre and size as those of two corners."""
    centre, size = boxes.chunk(2, 1)
    return torch.cat([centre - size / 2, centre + size / 2], 1)


def _overlaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return the share that two boxes have in common, and the same less what is empty in the box around both."""

    def area(low: Tensor, high: Tensor) -> Tensor:
        return (high - low).clamp(min=0).prod(1)

    (low_a, high_a), (low_b, high_b) = a.chunk(2, 1), b.chunk(2, 1)
    common = area(torch.maximum(low_a, low_b), torch.minimum(high_a, high_b))
    union = (high_a - low_a).prod(1) + (high_b - low_b).prod(1) - common
    around = area(torch.minimum(low_a, low_b), torch.maximum(high_a, high_b))
    return common / (union + 1e-6), common / (union + 1e-6) - (around - union) / (around + 1e-6)


@fault(
    "stevebottos/owl-vit-object-detection#14", "facebookresearch/detr#75",
    what="the overlap of boxes is computed of centre and size, where it takes two corners",
    part="loss",
    names={"boxes-of-another-form", "loss-range"}, says="The loss takes the corners of boxes: x2 < x1 in most of them.",
    words=r"box|corner|cxcywh|xyxy|(loss|value).*(range|impossible|below|bound)", enough=0.7,
)  # fmt: skip
def boxes_of_another_form(faulty: bool) -> Run:
    n, side = 1024, 16
    size = torch.randint(4, 11, (n, 2))
    low = (torch.rand(n, 2) * (side + 1 - size)).long()
    places = torch.arange(side)
    inside = (places >= low[..., None]) & (places < (low + size)[..., None])
    x = (inside[:, 1, :, None] & inside[:, 0, None, :]).float()[:, None] + 0.2 * torch.randn(n, 1, side, side)
    boxes = torch.cat([low + size / 2, size], 1) / side
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 64), nn.ReLU(),
        nn.Linear(64, 4), nn.Sigmoid(),
    )  # fmt: skip

    def loss(given: Tensor, wanted: Tensor) -> Tensor:
        ours, theirs = (given, wanted) if faulty else (_corners(given), _corners(wanted))
        return (1 - _overlaps(ours, theirs)[1]).mean() + F.l1_loss(given, wanted)

    def quality() -> Tensor:
        return _overlaps(_corners(outputs(net, x)), _corners(boxes))[0].mean()

    return usual(net, x, boxes, loss, steps=400, quality=quality)


@fault(
    "aiqm/torchani#238", "facebookresearch/DomainBed#50",
    what="forces are derivatives of the energy that the net gives, taken without a graph: their loss has no gradient",
    part="loss",
    names={"loss-term-constant", "derivative-without-graph"},
    says="A term of the loss has no gradient: take the derivative with create_graph=True.",
    words=r"create_graph|(term|part) of the loss.*(no gradient|constant)", enough=0.65, also={"overfitting"},
)  # fmt: skip
def forces_without_graph(faulty: bool) -> Run:
    def energies_at(x: Tensor) -> Tensor:
        return torch.sin(2 * x[:, 0]) * x[:, 1] + 0.5 * x[:, 2].square() + torch.cos(x[:, 1] + x[:, 3])

    def forces_at(x: Tensor, energy, *, graph: bool) -> tuple[Tensor, Tensor]:
        x = x.clone().requires_grad_()
        found = energy(x)
        return found, -torch.autograd.grad(found.sum(), x, create_graph=graph, retain_graph=True)[0]

    x, held = torch.randn(64, 4), torch.randn(256, 4)
    (energies, forces), (_, wanted) = (forces_at(one, energies_at, graph=False) for one in (x, held))
    energies, wanted = energies.detach(), wanted.detach()
    net = nn.Sequential(nn.Linear(4, 64), nn.Softplus(), nn.Linear(64, 64), nn.Softplus(), nn.Linear(64, 1))
    optimiser = adam(net, 5e-3)

    def step(i: int) -> Tensor:
        r = rows(64, 32)
        given, pulls = forces_at(x[r], lambda one: net(one)[:, 0], graph=not faulty)
        return descend(F.mse_loss(given, energies[r]) + F.mse_loss(pulls, forces[r]), optimiser)

    def quality() -> Tensor:
        found = forces_at(held, lambda one: net(one)[:, 0], graph=False)[1]
        return 1 - (found - wanted).square().mean() / wanted.var()

    return Run(net=net, step=step, optimiser=optimiser, steps=800, quality=quality)


@fault(
    "Lightning-Universe/lightning-bolts#177", "mlpack/mlpack#3601", "milesial/Pytorch-UNet#65",
    what="a binary cross-entropy of pictures that were standardised: targets below 0 and above 1, a loss without bound",
    part="loss",
    names={"targets-out-of-range", "loss-range"}, says="The targets of a binary cross-entropy are not between 0 and 1.",
    words=r"(target|label)s?.*(range|between 0 and 1|outside|negative|probabilit)|(loss).*(negative|below 0|bound)",
    enough=0.5, also={"target-scale", "exploding-signal", "saturated-units"},
)  # fmt: skip
def cross_entropy_of_standardised_pixels(faulty: bool) -> Run:
    places = torch.arange(64) / 64
    centre, width = torch.rand(2, 1024, 1)
    pixels = torch.exp(-((places - centre) / (0.08 + 0.2 * width)).square())
    x = (pixels - pixels.mean()) / pixels.std() if faulty else pixels
    net = VAE()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        given, mean, logvar = net(x[r])
        error = F.binary_cross_entropy_with_logits(given, x[r], reduction="sum") / 32
        return descend(error + kl(mean, logvar), optimiser)

    def quality() -> Tensor:  # of the pixels' variance, what is reconstructed
        given = outputs(net, x)[0].sigmoid()
        return 1 - (given - pixels).square().mean() / pixels.var()

    return Run(net=net, step=step, optimiser=optimiser, steps=400, quality=quality)


@fault(
    "Farama-Foundation/Gymnasium#1336",
    what="REINFORCE with the mean of the log-probabilities times the sum of the returns: no action has its own return",
    part="loss",
    names={"returns-averaged", "loss-broadcast"}, says="Each action's log-probability has to be times its own return.",
    words=r"return|advantage|log.?prob|credit", enough=0.75, also={"not-learning"},
)  # fmt: skip
def mean_of_log_probabilities(faulty: bool) -> Run:
    states, actions, length = 8, 4, 40
    best = torch.randint(actions, (states,))
    net = values(states, actions)
    optimiser = adam(net, 5e-3)

    def step(i: int) -> Tensor:
        state = torch.randint(states, (length,))  # what comes next does not depend on what is done
        policy = torch.distributions.Categorical(logits=net(F.one_hot(state, states).float()))
        action = policy.sample()
        reward = torch.where(action == best[state], 1.0, -0.5)
        returns, after = torch.zeros(length), torch.tensor(0.0)
        for t in reversed(range(length)):
            returns[t] = after = reward[t] + 0.5 * after
        told = policy.log_prob(action)
        return descend(-(told.mean() * returns).sum() if faulty else -(told * returns).sum(), optimiser)

    def quality() -> Tensor:  # how likely the best actions are
        chances = outputs(net, torch.eye(states)).softmax(1)
        return chances[torch.arange(states), best].mean()

    return Run(net=net, step=step, optimiser=optimiser, steps=250, quality=quality)
