"""Shared code of the benchmarks of training steps: Backlight's step, PyTorch's, and the comparison of their losses."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from backlight.core.threads import limit_threads
from backlight.models.neural import NeuralModel
from backlight.optim import Optimiser
from backlight.text import Dataset
from backlight.training.compiled_step import Stepper

Step = Callable[[int], None]


def our_step(model: NeuralModel, optimiser: Optimiser, data: Dataset, rows: np.ndarray, losses: list[float]) -> Step:
    """Return a step of Backlight's training loop, from the rows of the batch to the updated weights.

    Args:
        model: the network.
        optimiser: its optimiser.
        data: the dataset.
        rows: (steps, B) the rows of each minibatch.
        losses: the list to which each loss is appended.
    """
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
    """Return a step as usually written with `torch.nn`.

    Args:
        loss_of: returns the loss of ids (B, T) and targets.
        optimiser: a PyTorch optimiser.
        x: (N, T) the ids of all examples.
        y: (N,) or (N, T) their targets.
        rows: (steps, B) the rows of each minibatch.
        losses: the list to which each loss is appended.
    """
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
    """Assert that the losses of both sides agree in the first steps, before rounding errors grow.

    Args:
        ours: Backlight's losses.
        theirs: the peer's losses.
        first: how many steps to compare.
        apart: the largest allowed difference.
    """
    mine, other = (np.array(list(losses))[:first] for losses in (ours, theirs))
    assert len(mine) == len(other) == first
    worst = np.abs(mine - other).max()
    assert worst < apart, f"the two sides must do the same work; their losses are up to {worst:.2g} apart"


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Use this many threads on both sides."""
    torch.set_num_threads(count)
    with limit_threads(count, blas=1):  # as in a training
        yield


def compiled(function: Callable[..., Any], *arguments: Any) -> tuple[Callable[..., Any], float]:
    """Return the function compiled by `torch.compile`, and the seconds of the compilation, including backward."""
    made = torch.compile(function)
    started = time.perf_counter()
    made(*arguments).backward()
    return made, time.perf_counter() - started
