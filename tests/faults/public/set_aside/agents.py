"""Values of actions: what is taken for a value, and along which axis values are added up."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, outputs
from tests.faults.public.nets import values
from tests.faults.public.reports.agents import GAMMA, corridor
from tests.faults.public.tasks import rows
from torch import Tensor
from torch.nn import functional as F


def _values(*, by_index: bool = False, over_the_batch: bool = False) -> Run:
    state, action, reward, after, done = corridor()
    net, target = values(6, 2), values(6, 2)
    target.load_state_dict(net.state_dict())
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(4096, 64)
        with torch.no_grad():
            later = target(after[r])
            best = later.argmax(1).float() if by_index else later.max(1).values
            wanted = reward[r] + GAMMA * best * (1 - done[r])
        taken = net(state[r]) * F.one_hot(action[r], 2)
        loss = descend(F.mse_loss(taken.sum() if over_the_batch else taken.sum(1), wanted), optimiser)
        if i % 20 == 19:
            target.load_state_dict(net.state_dict())
        return loss

    def quality() -> Tensor:  # minus the error of the best action's value
        return -(outputs(net, torch.eye(6)).max(1).values - GAMMA ** torch.arange(5, -1, -1)).abs().mean()

    return Run(net=net, step=step, optimiser=optimiser, steps=600, quality=quality)


@fault(
    "llSourcell/Game-AI#7",
    what="argmax for the value of the best next action, where max was meant: its index is taken for its value",
    part="loss",
    names={"index-for-value"}, says="The targets are made of indices, not of the values at them.",
    words=r"argmax|\bindex\b|indices|whole numbers", enough=-0.1,
)  # fmt: skip
def index_for_the_best_value(faulty: bool) -> Run:
    return _values(by_index=faulty)


@fault(
    "simoninithomas/Deep_reinforcement_learning_Course#68",
    what="the values of the actions taken are added up over the minibatch too: one number is compared with all targets",
    part="loss",
    names={"loss-broadcast", "examples-mixed"}, says="One number is compared with the targets of all examples.",
    words=r"broadcast|one number|axis|\bdim\b|over the batch", enough=-0.1,
)  # fmt: skip
def values_summed_over_the_batch(faulty: bool) -> Run:
    return _values(over_the_batch=faulty)
