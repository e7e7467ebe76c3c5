"""The second core: steps and whole trainings on one thread and on two, and PyTorch's steps on as many.

    python -m benchmarks.threads                  # everything, in about five minutes on an idle machine
    python -m benchmarks.threads gpt              # trainings and steps whose name contains "gpt"

Steps are timed in turn, in blocks: Backlight on one thread, on two, PyTorch (eager) on one and on two. A training of
`names` is short and in a process of its own, on one and on two threads in turn. Times are medians, and ratios medians
of the rounds'.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from backlight.core.threads import limit_threads
from backlight.models import GPTConfig
from backlight.optim import AdamW
from benchmarks.gpt_step import DECAY, LR, STEPS, Workload, both_sides
from benchmarks.harness import duration
from benchmarks.steps import our_step, torch_step

ROUNDS = 7
BLOCK_SECONDS = 0.4
TRAININGS = {"mlp": 1500, "wavenet": 400, "gpt": 200, "gru": 300}
"""Steps of each short training. With fewer, the first evaluation would take most of the time."""

CHILD = """
import sys, time
import backlight
model, threads, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
started = time.perf_counter()
trained = backlight.train("names", model, steps=steps, threads=threads, progress=False)
print(time.perf_counter() - started)
"""


def workloads() -> list[Workload]:
    """Return the steps of GPTs with 64 to 384 channels, without padding."""
    shared = {"n_layer": 4, "n_head": 4, "dropout": 0}
    sizes = [(27, 16, 64, 32), (65, 64, 128, 12), (65, 64, 256, 12), (65, 64, 384, 12)]
    return [
        Workload(
            name=f"GPT step, {channels} channels, context {context}, batch {batch}",
            config=GPTConfig(vocabulary_size=V, context=context, n_embd=channels, **shared),
            batch=batch, steps=1, padded=False, at_least=(1, 1),
        )
        for V, context, channels, batch in sizes
    ]  # fmt: skip


def sides(work: Workload) -> dict[str, Callable[[int], None]]:
    """Return the step of each side, which sets its threads itself."""
    made: dict[str, Callable[[int], None]] = {}
    data = work.data()
    whole = data.batch(np.arange(len(data)))
    rows = np.random.default_rng(2).integers(0, len(data), (STEPS, work.batch))
    for threads in (1, 2):
        model, module, groups = both_sides(work)
        with limit_threads(threads, blas=1):  # a program keeps the number with which it was made
            adamw = AdamW(model.parameters(), LR, betas=(0.9, 0.99), weight_decay=DECAY, decay_vectors=False)
            step = our_step(model, adamw, data, rows, [])
            step(0)
        made[f"Backlight {threads}"] = _limited(step, threads)
        optimiser = torch.optim.AdamW(groups, lr=LR, betas=(0.9, 0.99))
        made[f"PyTorch {threads}"] = _with_torch(torch_step(module, optimiser, whole.x, whole.y, rows, []), threads)
    return made


def _limited(step: Callable[[int], None], threads: int) -> Callable[[int], None]:
    def block(steps: int) -> None:
        with limit_threads(threads, blas=1):
            for i in range(steps):
                step(i)

    return block


def _with_torch(step: Callable[[int], None], threads: int) -> Callable[[int], None]:
    def block(steps: int) -> None:
        torch.set_num_threads(threads)
        for i in range(steps):
            step(i)

    return block


def seconds(block: Callable[[int], None], steps: int) -> float:
    """Return the seconds of a step."""
    started = time.perf_counter()
    block(steps)
    return (time.perf_counter() - started) / steps


def in_turn(work: Workload) -> dict[str, list[float]]:
    """Return the seconds of a step of each side, in each round."""
    blocks = sides(work)
    for block in blocks.values():
        block(3)
    steps = max(1, int(BLOCK_SECONDS / seconds(blocks["Backlight 1"], 2)))
    times: dict[str, list[float]] = {side: [] for side in blocks}
    for _ in range(ROUNDS):
        for side, block in blocks.items():
            times[side].append(seconds(block, steps))
    return times


def training(model: str, threads: int) -> float:
    """Return the seconds of a short training of `names`, in a process of its own."""
    command = [sys.executable, "-c", CHILD, model, str(threads), str(TRAININGS[model])]
    environ = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
    return float(done.stdout.split()[-1])


def ratio(over: list[float], under: list[float]) -> str:
    """Return the median of the rounds' ratios, with the smallest and the largest."""
    ratios = [a / b for a, b in zip(over, under, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main(chosen: str) -> None:
    """Measure what contains `chosen` in its name."""
    for work in workloads():
        if chosen in work.name.lower():
            times = in_turn(work)
            print(work.name, {side: duration(statistics.median(taken)) for side, taken in times.items()})
            print("  2 threads against 1:", ratio(times["Backlight 1"], times["Backlight 2"]))
            for threads in (1, 2):
                against = ratio(times[f"PyTorch {threads}"], times[f"Backlight {threads}"])
                print(f"  against PyTorch, eager, on {threads}:", against, flush=True)
    for model in TRAININGS:
        if chosen in model:
            pairs = [(training(model, 1), training(model, 2)) for _ in range(3)]
            one, two = (list(each) for each in zip(*pairs, strict=True))
            print(f"training of names, {model}: {duration(statistics.median(one))} on 1 thread, 2 against 1:", end=" ")
            print(ratio(one, two), flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
