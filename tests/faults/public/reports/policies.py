"""Reinforcement learning: target networks and exploration."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, outputs
from tests.faults.public.nets import mlp, values
from tests.faults.public.reports.agents import GAMMA, corridor
from tests.faults.public.tasks import rows
from torch import Tensor
from torch.nn import functional as F


@fault(
    "thesouther/MARL#8", "ageron/handson-ml2#89", "shakedzy/tic_tac_toe#1",
    what="the target network is updated from itself: it keeps its first weights",
    part="loss",
    names={"target-network-fixed"}, says="The targets come from a network that never changes.",
    words=r"target net|targets? .*never change", enough=-0.25,
)  # fmt: skip
def target_network_fixed(faulty: bool) -> Run:
    state, action, reward, after, done = corridor()
    net, target = values(6, 2), values(6, 2)
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(4096, 64)
        with torch.no_grad():
            wanted = reward[r] + GAMMA * target(after[r]).max(1).values * (1 - done[r])
        loss = descend(F.mse_loss(net(state[r]).gather(1, action[r, None])[:, 0], wanted), optimiser)
        if i % 20 == 19:
            target.load_state_dict((target if faulty else net).state_dict())
        return loss

    def quality() -> Tensor:
        return -(outputs(net, torch.eye(6)).max(1).values - GAMMA ** torch.arange(5, -1, -1)).abs().mean()

    return Run(net=net, step=step, optimiser=optimiser, steps=800, quality=quality)


@fault(
    "nebuly-ai/optimate#250", "PKU-Alignment/omnisafe#133", "google-deepmind/open_spiel#962",
    what="the entropy of the policy is added to the loss where it should be taken away: it stops to explore",
    part="loss",
    names={"output-constant", "policy-collapsed"},
    says="The net chooses one action for all inputs, and is sure of it from early on.",
    words=r"entropy|one (action|class|answer)|collapse|explor", also={"saturated-units"}, enough=0.8,
)  # fmt: skip
def entropy_of_wrong_sign(faulty: bool) -> Run:
    x = torch.randn(1024, 8)
    best = x[:, :4].argmax(1)
    net = mlp(8, 4, 32)
    optimiser = adam(net, 5e-3)

    def step(i: int) -> Tensor:
        r = rows(1024, 64)
        chosen = torch.distributions.Categorical(logits=net(x[r]))
        action = chosen.sample()
        reward = (action == best[r]).float()
        policy = -(chosen.log_prob(action) * (reward - reward.mean())).mean()
        return descend(policy + (1 if faulty else -1) * 0.5 * chosen.entropy().mean(), optimiser)

    def quality() -> Tensor:
        return (outputs(net, x).argmax(1) == best).float().mean()

    return Run(net=net, step=step, optimiser=optimiser, steps=500, quality=quality)
