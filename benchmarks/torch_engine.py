"""A step of the torch engine against a plain PyTorch loop of the same GPT with the same optimiser, on the CPU."""

import os

import numpy as np
import torch

from backlight.training import EngineConfig, TrainConfig
from backlight.training.group import ALONE
from backlight.training.state import TrainState
from backlight.training.torch_engine import TorchEngine
from benchmarks.gpt_step import DECAY, LR, SAME_FOR, STEPS, Workload, both_sides, workloads
from benchmarks.harness import Comparison, compare, save
from benchmarks.steps import check_losses, threads, torch_step

AT_LEAST = 0.97


def measure(work: Workload, count: int) -> Comparison:
    """Compare the torch engine with a plain loop.

    Args:
        work: the workload.
        count: the number of threads.
    """
    model, module, groups = both_sides(work)
    data = work.data()
    whole = data.batch(np.arange(len(data)))
    rows = np.random.default_rng(2).integers(0, len(data), (STEPS, work.batch))
    config = TrainConfig(steps=STEPS, batch_size=work.batch, lr=LR, weight_decay=DECAY, threads=count)
    engine = TorchEngine(
        EngineConfig(engine="torch", device="cpu"), TrainState(model, config), config, rng=np.random.default_rng(3),
        seed=1, group=ALONE,
    )  # fmt: skip
    our_losses: list[float] = []
    their_losses: list[float] = []

    def ours(i: int) -> None:
        our_losses.append(engine.forward(data.batch(rows[i]), i))
        engine.backward()
        engine.update(LR, None)

    with threads(count):
        optimiser = torch.optim.AdamW(groups, lr=LR, betas=(0.9, 0.99), fused=True)
        theirs = torch_step(module, optimiser, whole.x, whole.y, rows, their_losses)
        found = compare(
            f"torch engine: {work.name}", "a plain PyTorch loop", ours, theirs, threads=count, at_least=AT_LEAST,
            steps=work.steps, warm_up=SAME_FOR,
        )  # fmt: skip
    check_losses(our_losses, their_losses, first=SAME_FOR, apart=1e-4)
    return found


def main() -> None:
    """Measure all workloads, on one thread and on two."""
    print(f"load of the machine at the start: {os.getloadavg()[0]:.1f}")
    save("torch_engine", [measure(work, count) for work in workloads() for count in (1, 2)])


if __name__ == "__main__":
    main()
