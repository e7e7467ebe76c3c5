"""One training step of a GPT with AdamW: Backlight against PyTorch with fused attention, eager and compiled.

Names: 27 characters, context 16, 64 channels, 4 layers of 4 heads, batch 32. More than half of such a batch is padding,
which Backlight skips, so the same size is also measured on a continuous text without padding.
Shakespeare: 65 characters, context 64, 128 channels, 4 layers of 4 heads, batch 12.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from backlight.core import EncodedItems
from backlight.models import GPT, GPTConfig
from backlight.optim import AdamW
from backlight.text import Sequences
from benchmarks.harness import Comparison, compare, save
from benchmarks.peers.torch_gpt import TorchGPT, take_weights
from benchmarks.steps import check_losses, compiled, our_step, threads, torch_step
from benchmarks.wavenet_step import seconds_of_products

LR = 1e-3
DECAY = 0.1
SAME_FOR = 20
STEPS = 5_000


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The size of a network, and its data."""

    name: str
    config: GPTConfig
    batch: int
    steps: int
    padded: bool
    at_least: tuple[float, float]
    """The targets of the ratio to PyTorch, eager and compiled."""

    def data(self) -> Sequences:
        """Return random text from a first-order Markov chain, so that there is something to learn."""
        rng = np.random.default_rng(1)
        V, context = self.config.vocabulary_size, self.config.context
        law = rng.integers(1, V, (V, 4))
        # the lengths of names: 3 to 15 characters, 6.1 on average
        lengths = np.clip(rng.poisson(6.1, 20_000), 3, context - 1) if self.padded else np.array([200_000])
        ids = np.zeros(int(lengths.sum()), np.int64)
        choices = rng.integers(0, 4, len(ids))
        for i in range(1, len(ids)):
            ids[i] = law[ids[i - 1], choices[i]]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        return Sequences(EncodedItems(ids.astype(np.uint8), starts, ends=self.padded), context)


def workloads() -> list[Workload]:
    """Return all workloads."""
    names = {"vocabulary_size": 27, "context": 16, "n_embd": 64, "n_layer": 4, "n_head": 4}
    shakespeare = GPTConfig(vocabulary_size=65, context=64, n_embd=128, n_layer=4, n_head=4, dropout=0)
    return [
        Workload(
            name="GPT step, 64 channels, context 16, batch 32 of names", config=GPTConfig(**names, dropout=0),
            batch=32, steps=20, padded=True, at_least=(1.5, 1.3),
        ),
        Workload(
            name="GPT step, 64 channels, context 16, batch 32 without padding", config=GPTConfig(**names, dropout=0),
            batch=32, steps=20, padded=False, at_least=(1.5, 1.3),
        ),
        Workload(
            name="GPT step, 128 channels, context 64, batch 12", config=shakespeare,
            batch=12, steps=6, padded=False, at_least=(1.2, 1.05),
        ),
    ]  # fmt: skip


def both_sides(work: Workload) -> tuple[GPT, TorchGPT, list[dict[str, Any]]]:
    """Return Backlight's GPT of a workload, PyTorch's with the same weights, and parameter groups of the latter."""
    size = work.config
    model = GPT(size, rng=np.random.default_rng(1))
    module = TorchGPT(size.vocabulary_size, size.context, size.n_embd, size.n_layer, size.n_head, size.dropout)
    take_weights(module, model)
    groups = [
        {"params": [p for p in module.parameters() if p.ndim >= 2], "weight_decay": DECAY},
        {"params": [p for p in module.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    return model, module, groups


def measure(work: Workload, count: int, *, compile_it: bool) -> Comparison:
    """Compare Backlight with PyTorch.

    Args:
        work: the workload.
        count: the number of threads.
        compile_it: whether to use `torch.compile`.
    """
    model, module, groups = both_sides(work)
    data = work.data()
    whole = data.batch(np.arange(len(data)))
    rows = np.random.default_rng(2).integers(0, len(data), (STEPS, work.batch))
    our_losses: list[float] = []
    their_losses: list[float] = []
    with threads(count):
        optimiser = torch.optim.AdamW(groups, lr=LR, betas=(0.9, 0.99))
        loss_of = module
        if compile_it:
            loss_of, seconds = compiled(module, torch.tensor(whole.x[rows[0]]), torch.tensor(whole.y[rows[0]]))
            print(f"torch.compile took {seconds:.0f} s")
        theirs = torch_step(loss_of, optimiser, whole.x, whole.y, rows, their_losses)
        adamw = AdamW(model.parameters(), LR, betas=(0.9, 0.99), weight_decay=DECAY, decay_vectors=False)
        ours = our_step(model, adamw, data, rows, our_losses)
        found = compare(
            work.name, "PyTorch, compiled" if compile_it else "PyTorch, eager", ours, theirs,
            threads=count, at_least=work.at_least[compile_it], steps=work.steps, warm_up=SAME_FOR,
        )  # fmt: skip
    check_losses(our_losses, their_losses, first=SAME_FOR, apart=2e-3)
    return found


def share_of_products(work: Workload, seconds: float) -> dict[str, float | str]:
    """Return the share of a step's time on one thread that NumPy would need for its matrix products alone."""
    size, rows = work.config, work.batch * work.config.context
    C, T, D = size.n_embd, size.context, size.n_embd // size.n_head
    all_heads = size.n_layer * size.n_head * work.batch
    dense = [(rows, C, 3 * C), (rows, C, C), (rows, C, 4 * C), (rows, 4 * C, C)] * size.n_layer
    dense.append((rows, C, size.vocabulary_size))
    heads = [(T, D, T), (T, T, D)]
    with threads(1):
        products = seconds_of_products(dense, blocks=5, repeats=2)
        products += seconds_of_products(heads, blocks=5) * all_heads
    flops = sum(6 * n * i * o for n, i, o in [*dense, *heads * all_heads])
    return {"claim": work.name, "gflops": flops / seconds / 1e9, "of_matmul": products / seconds}


def main() -> None:
    """Measure all workloads, on one thread and on two."""
    found, shares = [], []
    for work in workloads():
        for count in (1, 2):
            found += [measure(work, count, compile_it=compile_it) for compile_it in (False, True)]
            if count == 1 and not work.padded:
                shares.append(share_of_products(work, found[-1].ours))
                share = shares[-1]
                print(f"{share['gflops']:.0f} GFLOP/s, {share['of_matmul']:.2f} of NumPy's rate for its products")
    save("gpt_step", found, shares=shares)


if __name__ == "__main__":
    main()
