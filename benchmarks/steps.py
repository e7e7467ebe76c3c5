"""What the benchmarks of a training step share: our step, PyTorch's, and the check that both do the same work."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from backlight.models.neural import NeuralModel
from backlight.optim import Optimiser
from backlight.text import Dataset
from backlight.training.compiled_step import Stepper

Step = Callable[[int], None]


def our_step(model: NeuralModel, optimiser: Optimiser, data: Dataset, rows: np.ndarray, losses: list[float]) -> Step:
    """Return a step as the training loop of this package takes it, from the batch's numbers to the changed weights."""
    stepper = Stepper(model.train())

    def step(i: int) -> None:
        loss = stepper.forward(data.batch(rows[i]))
        stepper.backward()
        optimiser.step()
        losses.append(loss)

    return step


def torch_step(
    loss_of: Callable[[Any, Any], Any], optimiser: Any, x: np.ndarray, y: np.ndarray, rows: np.ndarray,
    losses: list[float],
) -> Step:  # fmt: skip
    """Return a step as it is usually written with `torch.nn`."""
    x_all, y_all, rows_all = map(torch.from_numpy, (x, y, rows))

    def step(i: int) -> None:
        ix = rows_all[i]
        loss = loss_of(x_all[ix], y_all[ix])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())

    return step


def check_losses(ours: Iterable[float], theirs: Iterable[float], *, first: int, apart: float = 1e-3) -> None:
    """Assert that both sides had the same losses in their first steps, before rounding has grown."""
    mine, other = (np.array(list(losses))[:first] for losses in (ours, theirs))
    assert len(mine) == len(other) == first
    worst = np.abs(mine - other).max()
    assert worst < apart, f"the two sides must do the same work; their losses are up to {worst:.2g} apart"


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let both sides use so many threads."""
    torch.set_num_threads(count)
    with threadpool_limits(count):
        yield


def compiled(function: Callable[..., Any], *arguments: Any) -> tuple[Callable[..., Any], float]:
    """Return `torch.compile`'s version of a function, and how many seconds it took to be ready, backward included."""
    made = torch.compile(function)
    started = time.perf_counter()
    made(*arguments).backward()
    return made, time.perf_counter() - started
