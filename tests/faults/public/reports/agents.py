"""Reinforcement learning: values and returns."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, outputs
from tests.faults.public.nets import values
from tests.faults.public.tasks import rows
from torch import Tensor
from torch.nn import functional as F

GAMMA = 0.95


def corridor(n: int = 4096, length: int = 6) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return state, action, reward, next state and whether it ended: right leads to the end and a reward of 1."""
    state, action = torch.randint(length, (n,)), torch.randint(2, (n,))
    done = (state == length - 1) & (action == 1)
    after = (state + 2 * action - 1).clamp(0, length - 1)
    return F.one_hot(state, length).float(), action, done.float(), F.one_hot(after, length).float(), done.float()


@fault(
    "seungeunrho/minimalRL#32", "seungeunrho/minimalRL#21",
    what="the value of what comes after the end of an episode is counted: values grow beyond all rewards",
    part="loss",
    names={"targets-follow-outputs", "terminal-bootstrapped"},
    says="Outputs and targets grow together, without bound or beyond the rewards: mask what comes after the end.",
    words=r"\bdone\b|terminal|bootstrap|grow(s)? (together|without)", enough=-0.5,
)  # fmt: skip
def bootstraps_beyond_the_end(faulty: bool) -> Run:
    state, action, reward, after, done = corridor()
    net, target = values(6, 2), values(6, 2)
    target.load_state_dict(net.state_dict())
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(4096, 64)
        with torch.no_grad():
            best = target(after[r]).max(1).values
        wanted = reward[r] + GAMMA * best * (1 if faulty else 1 - done[r])
        loss = descend(F.mse_loss(net(state[r]).gather(1, action[r, None])[:, 0], wanted), optimiser)
        if i % 20 == 19:
            target.load_state_dict(net.state_dict())
        return loss

    def quality() -> Tensor:  # minus the error of the best action's value
        return -(outputs(net, torch.eye(6)).max(1).values - GAMMA ** torch.arange(5, -1, -1)).abs().mean()

    return Run(net=net, step=step, optimiser=optimiser, steps=800, quality=quality)


@fault(
    "openai/spinningup#50",
    what="each reward is kept with the action after it: the last one of an episode counts for none",
    part="loss",
    names={"rewards-shifted"},
    says="The rewards do not depend on the actions that they are kept with, but on those before.",
    words=r"rewards? .*(shift|before|action)|returns?|credit", also={"not-learning"}, enough=0.8,
)  # fmt: skip
def rewards_shifted(faulty: bool) -> Run:
    net = values(9, 4)  # a sign in the first step, asked for only in the last
    optimiser = adam(net, 5e-3)

    def episodes(n: int) -> tuple[Tensor, Tensor]:
        sign = torch.randint(4, (n,))
        times = F.one_hot(torch.arange(5), 5).float().expand(n, 5, 5)
        seen = F.one_hot(sign, 4).float()[:, None] * torch.tensor([1.0, 0, 0, 0, 0])[:, None]
        return torch.cat([seen, times], 2), sign

    def step(i: int) -> Tensor:
        x, sign = episodes(64)
        chosen = torch.distributions.Categorical(logits=net(x))
        action = chosen.sample()
        reward = torch.zeros(64, 5)
        reward[:, 4] = (action[:, 0] == sign).float()  # for the first action, given at the end
        if faulty:
            reward = torch.cat([torch.zeros(64, 1), reward[:, :-1]], 1)
        returns = reward.flip(1).cumsum(1).flip(1)
        return descend(-(chosen.log_prob(action) * (returns - returns.mean(0))).mean(), optimiser)

    def quality() -> Tensor:
        x, sign = episodes(1024)
        return (outputs(net, x)[:, 0].argmax(1) == sign).float().mean()

    return Run(net=net, step=step, optimiser=optimiser, steps=600, quality=quality)
