"""What watching costs: a training step watched and bare, and with lecture 4's statistics written by hand.

The network is lecture 4's: 6 linear layers of 100 units with batch norm, tanh between them, batch 32, on one thread.
Once with the lecture's own layers, made modules, and once with PyTorch's, whose batch norm is one op and whose bare
step is quicker therefore. The watcher records all layers and parameters; by hand, as in the lecture, the tanh layers
and the matrices.
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
PROMISED = {"every step recorded": 1.8, "the default, every 20th": 1.15}
HELD_TO = "lecture 4's layers"


class Linear(nn.Module):
    """The lecture's: x @ W."""

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_in, fan_out) * (5 / 3) / fan_in**0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the product."""
        return x @ self.weight


class BatchNorm1d(nn.Module):
    """The lecture's: mean and variance op by op, running statistics beside."""

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.gamma, self.beta = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalised channels."""
        mean, variance = x.mean(0, keepdim=True), x.var(0, keepdim=True)
        normalised = (x - mean) / torch.sqrt(variance + self.eps)
        with torch.no_grad():
            self.running_mean.mul_(1 - self.momentum).add_(self.momentum * mean.squeeze(0))
            self.running_var.mul_(1 - self.momentum).add_(self.momentum * variance.squeeze(0))
        return self.gamma * normalised + self.beta


class Tanh(nn.Module):
    """The lecture's."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return tanh x."""
        return torch.tanh(x)


def network(layers: str) -> nn.Sequential:
    """Return the network with the lecture's layers or with PyTorch's, always with the same first weights."""
    torch.manual_seed(1)
    ours = layers == HELD_TO
    linear: Callable[[int, int], nn.Module] = Linear if ours else lambda i, o: nn.Linear(i, o, bias=False)
    norm, tanh = (BatchNorm1d, Tanh) if ours else (nn.BatchNorm1d, nn.Tanh)
    stack: list[nn.Module] = [nn.Embedding(VOCABULARY, EMBEDDING), nn.Flatten()]
    for fan_in in (CONTEXT * EMBEDDING, *[HIDDEN] * 4):
        stack += [linear(fan_in, HIDDEN), norm(HIDDEN), tanh()]
    return nn.Sequential(*stack, linear(HIDDEN, VOCABULARY), norm(VOCABULARY))


class Side:
    """One way to train the network; all take the same minibatches.

    Args:
        layers: whose.
        every: from how many steps one is recorded by the watcher; None for no watcher.
        by_hand: whether the lecture's statistics are taken.
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
    """Return the lecture's statistics: of the tanh layers, of their gradients, of the matrices, of the updates."""
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
    """Yield minibatches, the same to everybody."""
    generator = torch.Generator().manual_seed(2)
    while True:
        x = torch.randint(0, VOCABULARY, (BATCH, CONTEXT), generator=generator)
        yield x, (x[:, 0] + x[:, 1]) % VOCABULARY


def measure(layers: str) -> list[dict[str, Any]]:
    """Time all sides in turn, block by block; a ratio is a block's to the bare block beside it."""
    sides = {
        "bare": Side(layers),
        "every step recorded": Side(layers, every=1),
        "the default, every 20th": Side(layers, every=EVERY),
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
        assert side.losses == sides["bare"].losses, f"{name}: the losses must be the same bits as those of a bare step"
        if side.watcher is not None:
            side.watcher.close()
    bare = taken["bare"]
    return [_summed_up(layers, name, times, bare) for name, times in taken.items()]


def _summed_up(layers: str, name: str, times: list[float], bare: list[float]) -> dict[str, Any]:
    ratios = sorted(one / other for one, other in zip(times, bare, strict=True))
    quarter = len(ratios) // 4
    promised = PROMISED.get(name) if layers == HELD_TO else None
    found = {
        "layers": layers, "way": name, "seconds": statistics.median(times), "ratio": statistics.median(ratios),
        "lower_quartile": ratios[quarter], "upper_quartile": ratios[-1 - quarter], "at_most": promised,
    }  # fmt: skip
    verdict = (
        "" if promised is None else f", promised {promised:g}: {'kept' if found['ratio'] <= promised else 'NOT KEPT'}"
    )
    print(f"{layers}, {name}: {found['seconds'] * 1e6:,.0f} µs, {found['ratio']:.2f} x the bare step{verdict}")
    return found


def table(record: dict[str, Any]) -> list[str]:
    """Return the lines on what watching costs."""
    lines = [
        "",
        "## Watching",
        "",
        "A training step of lecture 4's deep network in PyTorch (6 linear layers of 100 units with batch norm, batch",
        "32, one thread), watched by `backlight.health.watch`: moments and histogram of every layer's output and",
        "gradient and of every matrix's gradient, how far each parameter moved, saturated and dead units. By hand:",
        "what the lecture computes, which is of the tanh layers and the matrices only. With PyTorch's layers, batch",
        "norm is one op and the bare step quicker. Ratios are medians of 41 blocks, quartiles in brackets.",
        "",
        "| layers | way | a step | ratio to bare | at most |",
        "|---|---|---|---|---|",
    ]
    for one in record["overheads"]:
        quartiles = f"{one['lower_quartile']:.2f} to {one['upper_quartile']:.2f}"
        promised = "" if one["at_most"] is None else f"{one['at_most']:g}"
        lines.append(
            f"| {one['layers']} | {one['way']} | {one['seconds'] * 1e6:,.0f} µs | {one['ratio']:.2f} ({quartiles}) "
            f"| {promised} |"
        )
    return lines


def main() -> None:
    """Measure both networks."""
    torch.set_num_threads(1)
    found = [one for layers in (HELD_TO, "torch.nn's layers") for one in measure(layers)]
    RESULTS.mkdir(exist_ok=True)
    record = {"environment": environment(), "kernel": kernel() is not None, "overheads": found}
    (RESULTS / "health.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
