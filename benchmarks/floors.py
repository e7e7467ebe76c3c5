"""A lower bound of a step's time, and the time of each of its kernels.

The bound is the floating-point operations of its matrix products at the rate of a large product, plus the bytes that
the other kernels must read and write at the rate of a copy within the second-level cache. It cannot be reached, since
small products run below that rate.
"""

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from backlight.autograd.native import Program
from backlight.autograd.native.emitting import STEP
from backlight.core import Batch
from backlight.models import GPT, MLP, GPTConfig, MLPConfig, WaveNet, WaveNetConfig
from backlight.models.neural import NeuralModel
from benchmarks.harness import RESULTS, environment
from benchmarks.steps import threads

PASSES = {
    "embed": 2, "embed_back": 2, "tanh": 2, "tanh_back": 3, "gelu": 2, "gelu_back": 3, "relu": 2, "relu_back": 3,
    "add": 3, "add_back": 2, "dropout": 3, "batch_norm": 2, "batch_norm_back": 3, "layer_norm": 2, "layer_norm_back": 3,
    "cross_entropy": 2, "cross_entropy_back": 2,
}  # fmt: skip
"""The number of arrays of rows x C that each kernel reads or writes."""


def windows(V: int, B: int, T: int, rng: np.random.Generator) -> Batch:
    """Return a random batch for a model of windows: ids (B, T) and targets (B,) below V, drawn by rng."""
    return Batch(rng.integers(0, V, (B, T)), rng.integers(0, V, B))


def sequences(V: int, B: int, T: int, rng: np.random.Generator) -> Batch:
    """Return a random batch for a model of sequences: ids and targets (B, T) below V, drawn by rng, without padding."""
    return Batch(rng.integers(0, V, (B, T)), rng.integers(0, V, (B, T)))


def workloads(rng: np.random.Generator) -> dict[str, tuple[NeuralModel, Batch]]:
    """Return a network and a batch for each workload."""
    small = {"vocabulary_size": 27, "context": 3, "embedding": 10}
    names = GPTConfig(vocabulary_size=27, context=16, n_embd=64, n_layer=4, n_head=4, dropout=0)
    shakespeare = GPTConfig(vocabulary_size=65, context=64, n_embd=128, n_layer=4, n_head=4, dropout=0)
    wavenet = WaveNetConfig(vocabulary_size=27, context=8, embedding=24, hidden=128)
    return {
        "MLP, lecture 3, batch 32": (MLP(MLPConfig(**small, hidden=(200,)), rng=rng), windows(27, 32, 3, rng)),
        "batch-norm MLP, lecture 4, batch 32": (
            MLP(MLPConfig(**small, hidden=(100,) * 5, batch_norm=True), rng=rng),
            windows(27, 32, 3, rng),
        ),
        "WaveNet 76K, batch 32": (WaveNet(wavenet, rng=rng), windows(27, 32, 8, rng)),
        "WaveNet 76K, batch 256": (WaveNet(wavenet, rng=rng), windows(27, 256, 8, rng)),
        "GPT, 64 channels, 32 x 16": (GPT(names, rng=rng), sequences(27, 32, 16, rng)),
        "GPT, 128 channels, 12 x 64": (GPT(shakespeare, rng=rng), sequences(65, 12, 64, rng)),
    }


def best(work: Callable[[], Any], seconds: float = 0.3) -> float:
    """Return the shortest time of a call, in seconds, over repetitions for the given time."""
    shortest, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        work()
        shortest = min(shortest, time.perf_counter() - started)
    return shortest


def rates(rng: np.random.Generator) -> tuple[float, float]:
    """Return the floating-point operations per second of a large product, and the bytes per second of a copy."""
    a, b, c = (rng.standard_normal((768, 768)).astype("f4") for _ in range(3))
    here, there = (np.zeros(64 * 1024, "f4") for _ in range(2))
    return 2 * 768**3 / best(lambda: np.matmul(a, b, out=c)), 2 * here.nbytes / best(lambda: np.copyto(there, here))


def operations(kernel: str, step: Any, rows: int, heads: tuple[int, int]) -> tuple[float, float]:
    """Return the floating-point operations of a kernel's products, and the bytes that other kernels read and write.

    Args:
        kernel: the name of the kernel.
        step: its encoded call.
        rows: the rows of the batch.
        heads: (B, T) of the batch, for attention.
    """
    rows = int(step["rows"]) or rows
    if kernel in {"linear", "linear_back"}:
        products = 1 if kernel == "linear" else sum(int(step["p"][slot] > 0) for slot in (3, 4))
        return 2.0 * products * rows * int(step["n"][0]) * int(step["n"][1]), 0.0
    if kernel in {"attention", "attention_back"}:
        B, T = heads  # on average, a query attends to half of the positions
        return (2 if kernel == "attention" else 5) * 2.0 * B * int(step["n"][0]) * T * (T + 1) / 2, 0.0
    return 0.0, 4.0 * PASSES[kernel] * rows * int(step["n"][0])


def measure(
    name: str, model: NeuralModel, batch: Batch, flops_a_second: float, bytes_a_second: float
) -> dict[str, Any]:
    """Return the operations of a step, the lower bound of its time, and the shortest time of each kind of kernel.

    Args:
        name: the name of the workload.
        model: the network.
        batch: its batch.
        flops_a_second: the rate of large products.
        bytes_a_second: the rate of a copy.
    """
    inputs = model.inputs(batch)
    model.flat()
    program = Program(model.loss_of(inputs), inputs)
    program.forward(inputs)
    rows = batch.x.size
    taken: Counter[str] = Counter()
    flops = moved = 0.0
    for steps in program._steps:
        first = steps.__array_interface__["data"][0]
        for at, step in enumerate(steps):
            address = first + at * STEP.itemsize
            kernel = program._kernels[step["op"]]
            taken[kernel.removesuffix("_back")] += best(lambda address=address: program._run(address, 1, rows, 1), 0.03)
            done, passed = operations(kernel, step, rows, batch.x.shape)
            flops, moved = flops + done, moved + passed
    whole = best(lambda: (program.forward(inputs), program.backward()), 1)
    floor = flops / flops_a_second + moved / bytes_a_second
    print(f"{name}: lower bound {floor * 1e6:,.0f} µs, forward and backward {whole * 1e6:,.0f} µs")
    return {
        "workload": name, "flops": flops, "bytes": moved, "floor": floor, "seconds": whole,
        "kernels": dict(taken.most_common()),
    }  # fmt: skip


def main() -> None:
    """Measure all workloads on one thread."""
    rng = np.random.default_rng(1)
    with threads(1):
        flops_a_second, bytes_a_second = rates(rng)
        print(f"{flops_a_second / 1e9:.0f} GFLOP/s, {bytes_a_second / 1e9:.0f} GB/s")
        found = [measure(name, *work, flops_a_second, bytes_a_second) for name, work in workloads(rng).items()]
    record = {"environment": environment(), "flops_a_second": flops_a_second, "bytes_a_second": bytes_a_second}
    record["floors"] = found
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "floors.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
