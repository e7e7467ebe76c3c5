"""Whatever the batches' sizes and the items' lengths: compiled kernels do as the graph does."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.unit.training.test_compiled_step import LADDER, by_graph, needs_kernels

from backlight.core import Batch
from backlight.nn import BatchNorm1d
from backlight.optim import SGD
from backlight.text import Vocabulary
from backlight.training import dataset, evaluate, mean_nll
from backlight.training.compiled_step import Stepper

VOCABULARY = Vocabulary.of(["abcde"])


@pytest.mark.parametrize("name", LADDER)
@given(sizes=st.lists(st.tuples(st.integers(1, 7), st.booleans()), min_size=3, max_size=8), seed=st.integers(0, 99))
@settings(max_examples=10, deadline=None, phases=(Phase.generate,))
@needs_kernels
def test_steps_of_all_sizes(name: str, sizes: list[tuple[int, bool]], seed: int) -> None:
    """Each step from the same weights, so that rounding does not grow from step to step."""
    ours, plain = (kind(LADDER[name](np.random.default_rng(1)).train()) for kind in (Stepper, by_graph))
    # of two rows, a batch norm leaves the signs, whose gradients are rounding
    least = 3 if any(isinstance(module, BatchNorm1d) for _, module in plain.model.named_modules()) else 1
    rng = np.random.default_rng(seed)
    optimiser = SGD(plain.model.parameters(), 0.05)
    for size, padded in sizes:
        given_batch = batch(plain.model, max(size, least), padded=padded, rng=rng)
        losses, gradients = [], []
        for stepper in (ours, plain):
            losses.append(stepper.forward(given_batch))
            stepper.backward()
            gradients.append(stepper.model.flat().gather().copy())
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
        np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-3, atol=1e-4 * np.abs(gradients[1]).max())
        optimiser.step()
        ours.model.flat().data[...] = plain.model.flat().data


def batch(model, size: int, *, padded: bool, rng: np.random.Generator) -> Batch:
    shape = (size, model.context)
    x = rng.integers(0, 6, shape)
    if model.reads == "windows":
        return Batch(x, rng.integers(0, 6, size))
    ends = rng.integers(1, model.context + 1, (size, 1)) if padded else model.context
    return Batch(x, np.where(np.arange(model.context) < ends, rng.integers(0, 6, shape), -1))


@pytest.mark.parametrize("name", LADDER)
@given(
    items=st.lists(st.text("abcde", min_size=1, max_size=12), min_size=1, max_size=30),
    chunk=st.integers(1, 40),
    ends=st.booleans(),
)
@settings(max_examples=10, deadline=None, phases=(Phase.generate,))
@needs_kernels
def test_splits_of_all_lengths(name: str, items: list[str], chunk: int, *, ends: bool) -> None:
    model = LADDER[name](np.random.default_rng(1)).eval()
    data = dataset(model, VOCABULARY, items, ends=ends)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "BATCH_TARGETS", chunk)
        found = mean_nll(model, data)
    whole = data.batch(np.arange(len(data)))
    nats = model.nll(whole.x, whole.y)[whole.y >= 0]
    assert found == pytest.approx(float(nats.mean(dtype=np.float64)), rel=1e-4)
