"""One training step of lecture 6's last network (WaveNet, 76,579 parameters, batch 32), against the lecture's code.

Also the arithmetic throughput of the step: the operations of its matrix products over its time, relative to NumPy's
rate for products of the same shapes.
"""

import time

import numpy as np
import torch

from backlight.core.threads import limit_threads
from backlight.models import WaveNet, WaveNetConfig
from backlight.optim import SGD
from backlight.text import Vocabulary, Windows, load_corpus
from benchmarks.harness import Comparison, compare, save
from benchmarks.peers import lecture_layers as lecture
from benchmarks.steps import check_losses, our_step, threads

STEPS = 100
LR = 0.1
BATCH = 32
SAME_FOR = 100


def lecture_model(model: WaveNet) -> lecture.Sequential:
    """Return Backlight's network in the lecture's layers."""
    layers = [lecture.Embedding(model.embedding.weight.array)]
    for linear in model.hidden.layers[1::4]:
        layers += [lecture.FlattenConsecutive(2), lecture.Linear(linear.weight.array)]
        layers += [lecture.BatchNorm1d(linear.out_features), lecture.Tanh()]
    return lecture.Sequential([*layers, lecture.Linear(model.output.weight.array, model.output.bias.array)])


def product_shapes(model: WaveNet, batch: int) -> list[tuple[int, int, int]]:
    """Return (rows, terms, columns) of each product of the forward pass; backward has two of the same size for each."""
    linears = [*model.hidden.layers[1::4], model.output]
    rows = [batch * model.context >> level + 1 for level in range(len(linears) - 1)] + [batch]
    return [(n, linear.in_features, linear.out_features) for n, linear in zip(rows, linears, strict=True)]


def seconds_of_products(shapes: list[tuple[int, int, int]], blocks: int = 15, repeats: int = 20) -> float:
    """Return NumPy's time for the matrix products of a step, forward and backward: the best of several blocks.

    Args:
        shapes: (rows, terms, columns) of each product of the forward pass.
        blocks: the number of blocks.
        repeats: repetitions per block.
    """
    rng = np.random.default_rng(1)
    work = []
    for rows, terms, columns in shapes:
        x, w, dy = (rng.standard_normal(s, np.float32) for s in ((rows, terms), (terms, columns), (rows, columns)))
        work += [(x, w, np.empty((rows, columns), "f4")), (dy, w.T, np.empty((rows, terms), "f4"))]
        work.append((x.T, dy, np.empty((terms, columns), "f4")))
    best = float("inf")
    for _ in range(blocks):
        started = time.perf_counter()
        for _ in range(repeats):
            for a, b, out in work:
                np.matmul(a, b, out=out)
        best = min(best, (time.perf_counter() - started) / repeats)
    return best


def measure(count: int) -> tuple[Comparison, dict[str, float]]:
    """Compare both on this many threads, and return the arithmetic throughput."""
    corpus = load_corpus("names")
    vocabulary = Vocabulary.of(corpus.items)
    size = WaveNetConfig(vocabulary_size=vocabulary.size, context=8, embedding=24, hidden=128)
    model = WaveNet(size, rng=np.random.default_rng(1))
    data = Windows(vocabulary.encode_items(corpus.items), model.context)
    whole = data.batch(np.arange(len(data)))
    rows = np.random.default_rng(2).integers(0, len(data), (20_000, BATCH))
    our_losses: list[float] = []
    their_losses: list[float] = []
    with threads(count):
        x, y = torch.tensor(whole.x), torch.tensor(whole.y)
        theirs = lecture.lecture_step(lecture_model(model), x, y, torch.tensor(rows), LR, their_losses)
        ours = our_step(model, SGD(model.parameters(), LR), data, rows, our_losses)
        found = compare(
            "WaveNet 76K step, lecture 6", "the lecture's PyTorch", ours, theirs,
            threads=count, at_least=4.5, steps=STEPS,
        )  # fmt: skip
        shapes = product_shapes(model, BATCH)
        with limit_threads(count):
            products = seconds_of_products(shapes)
    check_losses(our_losses, their_losses, first=SAME_FOR)
    rate = sum(6 * n * i * o for n, i, o in shapes)
    share = {"threads": count, "gflops": rate / found.ours / 1e9, "of_matmul": products / found.ours}
    print(f"{share['gflops']:.0f} GFLOP/s, {share['of_matmul']:.2f} of NumPy's rate at these shapes")
    return found, share


def main() -> None:
    """Measure on one thread, then on two."""
    found, shares = zip(*(measure(count) for count in (1, 2)), strict=True)
    save("wavenet_step", list(found), shares=list(shares))


if __name__ == "__main__":
    main()
