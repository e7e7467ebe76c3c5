"""Training time to a given dev loss, on the lectures' list of names and split.

Backlight trains as `backlight train` does, including evaluation and checkpoints, until an evaluation reaches the goal.
The lectures' networks train for 200,000 steps, after which their dev loss is known; their time is the time of a step,
measured in blocks between Backlight's runs, times 200,000. PyTorch's GPT is trained with the recipe that defined the
goal, until it reaches the goal, in as many parts as Backlight has runs; its evaluations are not timed.

Needs the lectures' list, `makemore-names`: downloaded, or in the folder BACKLIGHT_DATA.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backlight.models import GPT, MLP, GPTConfig, MLPConfig, WaveNet, WaveNetConfig
from backlight.text import Dataset
from backlight.training import Evaluation, Run, RunConfig
from benchmarks.harness import Comparison, compared, save
from benchmarks.peers import lecture_layers as lecture
from benchmarks.peers.torch_gpt import TorchGPT, take_weights
from benchmarks.steps import threads
from benchmarks.wavenet_step import lecture_model as lecture_wavenet

CORPUS: dict[str, Any] = {"corpus": "makemore-names", "duplicates": "keep"}
LECTURE_STEPS = 200_000
SAMPLE_STEPS = 4_000
"""Steps of the lecture's network per block."""

GPT_SIZE: dict[str, Any] = {"context": 16, "n_embd": 64, "n_layer": 4, "n_head": 4}
GPT_STEPS, GPT_BATCH, GPT_LR = 16_000, 64, 3e-3
LOOK_EVERY = 400


@dataclass(frozen=True, kw_only=True)
class Ours:
    """One of Backlight's networks and its training.

    Attributes:
        name: its description.
        model: its name in `MODELS`.
        settings: its configuration.
        changes: training settings that differ from the model's defaults.
        seeds: the seeds, one for each run.
        at_least: the target of the ratio; None for that of the goal.
    """

    name: str
    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (1, 2, 3)
    at_least: float | None = None

    def seconds_to(self, goal: float, seed: int) -> tuple[float, int]:
        """Train until an evaluation reaches a dev loss, in nats; return the seconds and the steps."""
        config = RunConfig.of(**CORPUS, model=self.model, seed=seed, **self.settings, **self.changes)
        reached: list[Evaluation] = []
        with tempfile.TemporaryDirectory() as folder:
            trainer = Run.create(config, Path(folder) / "run").trainer()

            def stop_at_goal(record: Evaluation) -> None:
                if record.dev_nats <= goal and not reached:
                    reached.append(record)
                    trainer.request_stop()

            trainer.on_evaluation = stop_at_goal
            trainer.fit()
        assert reached, f"{self.name}, seed {seed}: dev {goal} was not reached in {trainer.config.steps:,} steps"
        print(f"{self.name}, seed {seed}: dev {reached[0].dev_nats:.4f} at step {reached[0].step:,}, "
              f"{reached[0].seconds:.1f} s")  # fmt: skip
        return reached[0].seconds, reached[0].step


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A dev loss, the networks that must reach it, and their peer.

    Attributes:
        nats: the dev loss, in nats per character.
        peer: the description of the peer.
        parts: takes the number of runs, and yields the peer's seconds to the goal for each of them.
        ours: Backlight's networks.
        at_least: the target of the ratio.
    """

    nats: float
    peer: str
    parts: Callable[[int], Iterator[float]]
    ours: tuple[Ours, ...]
    at_least: float


def examples(settings: dict[str, Any], model: str) -> tuple[Dataset, Dataset]:
    """Return the train and dev splits in the form that a model reads."""
    data = Run.create(RunConfig.of(**CORPUS, model=model, **settings)).data
    return data["train"], data["dev"]


def lecture_seconds(model: lecture.Sequential, train: Dataset) -> Iterator[float]:
    """Yield the seconds of 200,000 steps of batch 32, extrapolated from the time of one block."""
    whole = train.batch(np.arange(len(train)))
    x, y = torch.tensor(whole.x), torch.tensor(whole.y)
    rows = torch.tensor(np.random.default_rng(1).integers(0, len(train), (SAMPLE_STEPS, 32)))
    step = lecture.lecture_step(model, x, y, rows, 0.1, [])
    for i in range(200):
        step(i)
    while True:
        started = time.perf_counter()
        for i in range(SAMPLE_STEPS):
            step(i)
        yield (time.perf_counter() - started) * LECTURE_STEPS / SAMPLE_STEPS


def lecture_mlp(_: int) -> Iterator[float]:
    """Yield the seconds of the lecture's MLP with batch norm: 3 characters, 200 tanh units, 12,097 parameters."""
    size = MLPConfig(vocabulary_size=27, context=3, embedding=10, hidden=(200,))
    ours = MLP(size, rng=np.random.default_rng(1))
    layers = [lecture.Embedding(ours.embedding.weight.array), lecture.FlattenConsecutive()]
    layers += [lecture.Linear(ours.hidden[0].weight.array), lecture.BatchNorm1d(200), lecture.Tanh()]
    layers.append(lecture.Linear(ours.output.weight.array, ours.output.bias.array))
    train, _dev = examples({"context": 3}, "mlp")
    return lecture_seconds(lecture.Sequential(layers), train)


def lecture_6(_: int) -> Iterator[float]:
    """Yield the seconds of lecture 6's WaveNet of 76,579 parameters."""
    size = WaveNetConfig(vocabulary_size=27, context=8, embedding=24, hidden=128)
    train, _dev = examples({"context": 8}, "wavenet")
    return lecture_seconds(lecture_wavenet(WaveNet(size, rng=np.random.default_rng(1))), train)


def torch_gpt(parts: int) -> Iterator[float]:
    """Train PyTorch's GPT (204,544 parameters, AdamW, cosine, dropout 0.1), and yield its seconds for each part.

    The seconds of a part are scaled to the total number of steps, so they are yielded after the training.
    """
    train, dev = (part.batch(np.arange(len(part))) for part in examples({"context": GPT_SIZE["context"]}, "gpt"))
    model = TorchGPT(27, *GPT_SIZE.values(), 0.1)
    take_weights(model, GPT(GPTConfig(vocabulary_size=27, **GPT_SIZE), rng=np.random.default_rng(1)))
    groups = [
        {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=GPT_LR, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, GPT_LR, total_steps=GPT_STEPS, pct_start=200 / GPT_STEPS, cycle_momentum=False, final_div_factor=1e9
    )
    rng = np.random.default_rng(1)
    torch.manual_seed(1)
    goal, taken, seconds = 1.95, 0, 0.0
    paces = []
    x, y = torch.tensor(train.x), torch.tensor(train.y)
    while taken < GPT_STEPS:
        started = time.perf_counter()
        for _ in range(LOOK_EVERY):
            rows = torch.from_numpy(rng.integers(0, len(x), GPT_BATCH))
            loss = model(x[rows], y[rows])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        part = time.perf_counter() - started
        paces.append(part / LOOK_EVERY)
        taken, seconds = taken + LOOK_EVERY, seconds + part
        nats = torch_dev(model, torch.tensor(dev.x), torch.tensor(dev.y))
        if nats <= goal:
            break
    assert nats <= goal, f"PyTorch's GPT reached dev {nats:.4f} in {taken:,} steps instead of {goal}"
    print(f"PyTorch's GPT, eager: dev {nats:.4f} at step {taken:,}, {seconds:.0f} s")
    for pace in np.array_split(paces, parts):
        yield float(pace.mean()) * taken


@torch.no_grad()
def torch_dev(model: TorchGPT, x: torch.Tensor, y: torch.Tensor) -> float:
    """Return the mean loss over all targets of the dev split, in nats.

    Args:
        model: PyTorch's GPT.
        x: (N, T) ids.
        y: (N, T) targets, -1 for padding.
    """
    model.eval()
    nats = sum(model(x[i : i + 512], y[i : i + 512]).item() * (y[i : i + 512] >= 0).sum().item()
               for i in range(0, len(x), 512))  # fmt: skip
    model.train()
    return nats / (y >= 0).sum().item()


def goals() -> list[Goal]:
    """Return all goals."""
    return [
        Goal(
            nats=2.10, peer="200,000 steps of the lecture's batch-norm MLP", parts=lecture_mlp, at_least=20,
            ours=(
                Ours(name="the default MLP", model="mlp"),
            ),
        ),
        Goal(
            nats=1.993, peer="200,000 steps of the lecture's WaveNet 76K", parts=lecture_6, at_least=15,
            ours=(
                Ours(name="the default MLP", model="mlp"),
                Ours(
                    name="WaveNet 76K", model="wavenet", settings={"embedding": 24, "hidden": 128},
                    changes={"steps": 8_000}, at_least=1,  # for comparison: the MLP is the fastest
                ),
            ),
        ),
        Goal(
            nats=1.95, peer="a GPT of that size in PyTorch, eager: dropout 0.1, 16,000 steps of 64", parts=torch_gpt,
            at_least=2,
            ours=(Ours(name="the default GPT", model="gpt"),),
        ),
    ]  # fmt: skip


def measure(goal: Goal, ours: Ours) -> tuple[Comparison, list[int]]:
    """Compare a network with its peer; also return the steps of each run."""
    parts = goal.parts(len(ours.seeds))
    pairs, steps = [], []
    for seed in ours.seeds:
        their_seconds = next(parts)
        our_seconds, taken = ours.seconds_to(goal.nats, seed)
        pairs.append((our_seconds, their_seconds))
        steps.append(taken)
    claim = f"time to dev {goal.nats}: {ours.name}"
    at_least = goal.at_least if ours.at_least is None else ours.at_least
    return compared(claim, goal.peer, pairs, threads=1, at_least=at_least), steps


def main() -> None:
    """Measure all goals on one thread."""
    with threads(1):
        found, steps = zip(*(measure(goal, ours) for goal in goals() for ours in goal.ours), strict=True)
    save("time_to_loss", list(found), steps=list(steps))


if __name__ == "__main__":
    main()
