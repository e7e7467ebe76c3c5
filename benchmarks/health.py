"""The overhead of `watch`: a training step with and without it, and with lecture 4's statistics written by hand.

The network is lecture 4's: 6 linear layers of 100 units with batch norm and tanh, batch 32, on one thread; once with
the lecture's layers as modules, and once with PyTorch's, whose batch norm is one op, so that the step without a watcher
is faster. The watcher records all layers and parameters; by hand, as in the lecture, only the tanh layers and the
matrices.
"""

import gc
import json
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from backlight.health import watch
from backlight.watch.numbers import kernel
from backlight.watch.schedule import EVERY
from benchmarks.harness import RESULTS, environment

BATCH, CONTEXT, EMBEDDING, HIDDEN, VOCABULARY = 32, 3, 10, 100, 27
BLOCKS, STEPS = 41, 2 * EVERY
LR = 0.1
PROMISED = {"every step recorded": 1.8, "the default, every 100th": 1.05}
HELD_TO = "lecture 4's layers"


class Linear(nn.Module):
    """The lecture's linear layer, (B, I) -> (B, O): x @ W."""

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_in, fan_out) * (5 / 3) / fan_in**0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the product, (B, O)."""
        return x @ self.weight


class BatchNorm1d(nn.Module):
    """The lecture's batch norm, (B, C) -> (B, C): mean and variance op by op, with running statistics.

    Args:
        channels: C.
        eps: added to the variance.
        momentum: the weight of a new batch in the running statistics.
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.gamma, self.beta = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalised activations, (B, C)."""
        mean, variance = x.mean(0, keepdim=True), x.var(0, keepdim=True)
        normalised = (x - mean) / torch.sqrt(variance + self.eps)
        with torch.no_grad():
            self.running_mean.mul_(1 - self.momentum).add_(self.momentum * mean.squeeze(0))
            self.running_var.mul_(1 - self.momentum).add_(self.momentum * variance.squeeze(0))
        return self.gamma * normalised + self.beta


class Tanh(nn.Module):
    """The lecture's tanh layer, (...) -> (...)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return tanh x, in x's shape."""
        return torch.tanh(x)


def network(layers: str) -> nn.Sequential:
    """Return the network with the lecture's layers or with PyTorch's, always with the same initial weights."""
    torch.manual_seed(1)
    ours = layers == HELD_TO
    linear: Callable[[int, int], nn.Module] = Linear if ours else lambda i, o: nn.Linear(i, o, bias=False)
    norm, tanh = (BatchNorm1d, Tanh) if ours else (nn.BatchNorm1d, nn.Tanh)
    stack: list[nn.Module] = [nn.Embedding(VOCABULARY, EMBEDDING), nn.Flatten()]
    for fan_in in (CONTEXT * EMBEDDING, *[HIDDEN] * 4):
        stack += [linear(fan_in, HIDDEN), norm(HIDDEN), tanh()]
    return nn.Sequential(*stack, linear(HIDDEN, VOCABULARY), norm(VOCABULARY))


class Side:
    """One way to train the network. All of them use the same minibatches.

    Args:
        layers: whose layers to use.
        every: the watcher records every N-th step; None for no watcher.
        by_hand: whether to compute the lecture's statistics.
    """

    def __init__(self, layers: str, *, every: int | None = None, by_hand: bool = False) -> None:
        self.model = network(layers)
        self.optimiser = torch.optim.SGD(self.model.parameters(), LR)
        self.by_hand = by_hand
        self.batches = batches()
        self.losses: list[float] = []
        self.kept: list[Any] = []
        self.watcher = None if every is None else watch(self.model, every=every).__enter__()

    def step(self) -> None:
        """Take one step."""
        x, y = next(self.batches)
        outputs = []
        if self.by_hand:
            for layer in self.model:
                x = layer(x)
                if isinstance(layer, (Tanh, nn.Tanh)):
                    x.retain_grad()
                    outputs.append(x)
        else:
            x = self.model(x)
        loss = cross_entropy(x, y)
        self.optimiser.zero_grad()
        loss.backward()
        if self.by_hand:
            self.kept.append(lecture_4(outputs, self.model.parameters()))
            del self.kept[:-100]
        self.optimiser.step()
        if self.watcher is not None:
            self.watcher.step(loss)
        self.losses.append(loss.item())


def lecture_4(outputs: list[torch.Tensor], parameters: Iterator[nn.Parameter]) -> list[Any]:
    """Return the lecture's statistics of the tanh layers (B, H), their gradients, the matrices and the updates."""
    found: list[Any] = []
    with torch.no_grad():
        for out in outputs:
            for t in (out, out.grad):
                counts, edges = torch.histogram(t, bins=48, density=True)
                found.append((t.mean().item(), t.std().item(), counts, edges))
            found.append((out.abs() > 0.97).float().mean().item() * 100)
        for p in parameters:
            found.append(((LR * p.grad).std() / p.data.std()).log10().item())
            if p.ndim == 2:
                counts, edges = torch.histogram(p.grad, bins=48, density=True)
                mean, std = p.grad.mean().item(), p.grad.std().item()
                found.append((mean, std, (p.grad.std() / p.data.std()).item(), counts, edges))
    return found


def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield minibatches, x (B, T) and y (B,), always the same ones."""
    generator = torch.Generator().manual_seed(2)
    while True:
        x = torch.randint(0, VOCABULARY, (BATCH, CONTEXT), generator=generator)
        yield x, (x[:, 0] + x[:, 1]) % VOCABULARY


def measure(layers: str) -> list[dict[str, Any]]:
    """Time all sides in turn, block by block. A ratio is that of a block to the adjacent block without a watcher."""
    sides = {
        "bare": Side(layers),
        "every step recorded": Side(layers, every=1),
        "the default, every 100th": Side(layers, every=EVERY),
        "lecture 4's statistics by hand, every step": Side(layers, by_hand=True),
    }
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for block in range(BLOCKS + 3):
        for name, side in sides.items():
            gc.collect()
            started = time.perf_counter()
            for _ in range(STEPS):
                side.step()
            if block >= 3:
                taken[name].append((time.perf_counter() - started) / STEPS)
    for name, side in sides.items():
        assert side.losses == sides["bare"].losses, f"{name}: the losses must be bit-identical to those without watcher"
        if side.watcher is not None:
            side.watcher.close()
    bare = taken["bare"]
    return [_summed_up(layers, name, times, bare) for name, times in taken.items()]


def _summed_up(layers: str, name: str, times: list[float], bare: list[float]) -> dict[str, Any]:
    ratios = sorted(time / bare_time for time, bare_time in zip(times, bare, strict=True))
    quarter = len(ratios) // 4
    promised = PROMISED.get(name) if layers == HELD_TO else None
    found = {
        "layers": layers, "way": name, "seconds": statistics.median(times), "ratio": statistics.median(ratios),
        "lower_quartile": ratios[quarter], "upper_quartile": ratios[-1 - quarter], "at_most": promised,
    }  # fmt: skip
    verdict = (
        "" if promised is None else f", target {promised:g}: {'reached' if found['ratio'] <= promised else 'MISSED'}"
    )
    print(f"{layers}, {name}: {found['seconds'] * 1e6:,.0f} µs, {found['ratio']:.2f} x the bare step{verdict}")
    return found


def table(record: dict[str, Any]) -> list[str]:
    """Return the lines on the overhead of `watch`."""
    lines = [
        "",
        "## Overhead of `watch`",
        "",
        "A training step of lecture 4's deep network in PyTorch (6 linear layers of 100 units with batch norm, batch",
        "32, one thread) with `backlight.health.watch`: moments and histogram of every layer's output and gradient and",
        "of every matrix's gradient, the size of each update, saturated and dead units. By hand: the statistics of the",
        "lecture, only for the tanh layers and the matrices. With PyTorch's layers, batch norm is one op, and the step",
        "without a watcher is faster. Ratios are medians of 41 blocks, quartiles in brackets. By default, the first ten",
        "steps are recorded, every 20th of the first 400, and then every 100th, which is what is timed.",
        "",
        "| layers | recording | step | ratio to bare | target |",
        "|---|---|---|---|---|",
    ]
    for row in record["overheads"]:
        quartiles = f"{row['lower_quartile']:.2f} to {row['upper_quartile']:.2f}"
        promised = "" if row["at_most"] is None else f"{row['at_most']:g}"
        lines.append(
            f"| {row['layers']} | {row['way']} | {row['seconds'] * 1e6:,.0f} µs | {row['ratio']:.2f} ({quartiles}) "
            f"| {promised} |"
        )
    return lines


def main() -> None:
    """Measure both networks."""
    torch.set_num_threads(1)
    found = [*measure(HELD_TO), *measure("torch.nn's layers")]
    RESULTS.mkdir(exist_ok=True)
    record = {"environment": environment(), "kernel": kernel() is not None, "overheads": found}
    (RESULTS / "health.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
