"""Learning from one's own experience, and games of two nets."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, outputs
from tests.faults.public.nets import values
from tests.faults.public.reports.agents import GAMMA
from tests.faults.public.tasks import rows
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "Itomigna2/Muesli-lunarlander#1", "chainer/chainerrl#157",
    what="the replay memory keeps the environment's own array, which goes on to change: all states in it are the last",
    part="inputs",
    names={"inputs-repeat", "input-constant", "duplicates"},
    says="All inputs of a minibatch are the same, and their targets are not.",
    words=r"same (input|example|state)|identical|cop(y|ies)|repeat|constant", enough=-0.1,
    also={"input-ignored", "not-learning", "output-constant"},
)  # fmt: skip
def memory_of_one_array(faulty: bool) -> Run:
    length = 6
    net, target = values(length, 2), values(length, 2)
    target.load_state_dict(net.state_dict())
    optimiser = adam(net)
    memory: list[tuple[Tensor, int, float, Tensor, float]] = []
    state, place = torch.zeros(length), 0  # the environment: right leads to the end and a reward of 1
    state[place] = 1

    def kept() -> Tensor:
        return state if faulty else state.clone()

    def act() -> None:
        nonlocal place
        before, action = kept(), int(torch.randint(2, ()))
        done = place == length - 1 and action == 1
        state[place] = 0
        place = min(max(place + 2 * action - 1, 0), length - 1)
        state[place] = 1
        memory.append((before, action, float(done), kept(), float(done)))
        if done:
            state[place] = 0
            place = int(torch.randint(length, ()))
            state[place] = 1

    def step(i: int) -> Tensor:
        for _ in range(6):
            act()
        drawn = [memory[k] for k in rows(len(memory), 64).tolist()]
        first, action, reward, after, done = zip(*drawn, strict=True)
        with torch.no_grad():
            best = target(torch.stack(after)).max(1).values
            wanted = torch.tensor(reward) + GAMMA * best * (1 - torch.tensor(done))
        loss = F.mse_loss(net(torch.stack(first)).gather(1, torch.tensor(action)[:, None])[:, 0], wanted)
        if i % 20 == 19:
            target.load_state_dict(net.state_dict())
        return descend(loss, optimiser)

    def quality() -> Tensor:  # minus the error of the best action's value
        wanted = GAMMA ** torch.arange(length - 1, -1, -1)
        return -(outputs(net, torch.eye(length)).max(1).values - wanted).abs().mean()

    return Run(net=net, step=step, optimiser=optimiser, steps=700, quality=quality)


@fault(
    "Zeleni9/pytorch-wgan#53",
    what="the generator of a Wasserstein GAN is trained to lower the critic's score of what it makes",
    part="loss",
    names={"loss-sign"}, says="The generator's loss has the wrong sign.",
    words=r"\bsign\b|direction|generator", enough=-0.6, also={"loss-unbounded"},
)  # fmt: skip
def generator_goes_the_wrong_way(faulty: bool) -> Run:
    real = torch.randn(2048, 2) * 0.3 + torch.tensor([1.5, -1.0])
    generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    critic = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    first, second = (torch.optim.RMSprop(one.parameters(), lr=2e-3) for one in (generator, critic))

    def step(i: int) -> Tensor:
        for _ in range(3):
            score = critic(generator(torch.randn(64, 4)).detach()).mean() - critic(real[rows(2048, 64)]).mean()
            descend(score, second)
            with torch.no_grad():
                for one in critic.parameters():
                    one.clamp_(-0.1, 0.1)
        made = critic(generator(torch.randn(64, 4))).mean()
        return descend(made if faulty else -made, first)

    def quality() -> float:
        return -float((outputs(generator, torch.randn(512, 4)).mean(0) - real.mean(0)).norm())

    return Run(net=generator, step=step, optimiser=first, steps=400, quality=quality)
