"""The order of a training's examples: what is read, how often, and from where it goes on."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backlight.core import BOUNDARY, NOT_A_TARGET, ConfigError, DataError
from backlight.text.token_files.format import TokenFile
from backlight.text.token_files.order import Shuffled
from backlight.text.token_files.sequences import Counts, TokenSequences
from backlight.text.token_files.stream import TokenStream

few = settings(max_examples=25)


def stream_of(count: int) -> TokenStream:
    return TokenStream.of([TokenFile(Path("ids"), np.arange(count, dtype=np.uint16))])


def sequences(count: int, context: int, seed: int = 1) -> TokenSequences:
    places = np.roll(np.arange(count), -1)  # ours is one more; the last is the boundary
    return TokenSequences(stream_of(count), places, context, counts=Counts(count - 1, count - 1, 0), seed=seed)


@few
@given(st.integers(1, 3_000), st.integers(0, 9))
def test_an_order_is_a_permutation(count: int, seed: int) -> None:
    numbers = Shuffled(count, (seed,)).at(np.arange(count))
    assert sorted(numbers.tolist()) == list(range(count))
    part = np.random.default_rng(seed).integers(0, count, 20)
    assert (Shuffled(count, (seed,)).at(part) == numbers[part]).all()


def test_an_order_of_billions_needs_no_memory() -> None:
    count = 3_000_000_019
    numbers = Shuffled(count, (7,)).at(np.arange(10_000))
    assert len(set(numbers.tolist())) == 10_000
    assert numbers.min() >= 0
    assert numbers.max() < count
    assert abs(numbers.mean() / count - 0.5) < 0.02


def test_an_order_looks_random() -> None:
    numbers = Shuffled(10_000, (1, 2)).at(np.arange(10_000))
    assert abs(np.corrcoef(numbers, np.arange(10_000))[0, 1]) < 0.03
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.03
    assert (Shuffled(10_000, (1, 3)).at(np.arange(10_000)) == numbers).mean() < 0.01


@few
@given(st.integers(2, 400), st.integers(1, 40), st.integers(1, 7))
def test_each_window_of_an_epoch_is_read_once(count: int, context: int, size: int) -> None:
    data = sequences(count, context)
    width = min(context, count - 1)
    for epoch in range(3):
        numbers = np.arange(epoch * data.windows, (epoch + 1) * data.windows)
        starts = np.sort(data.starts(numbers))
        assert (np.diff(starts) == width).all()  # side by side: no target is missing between them, and none twice
        assert 0 <= starts[0] < width
        assert starts[-1] + width <= count - 1
        assert count - 1 - data.windows * width < 2 * width  # what is left out at the ends
    batch = data.minibatch(3, size, None)
    assert (batch.y == (batch.x + 1) % count).all()


def test_an_epoch_is_cut_elsewhere_in_another_order() -> None:
    data = sequences(5_000, 16)
    first, second = (data.starts(np.arange(e * data.windows, (e + 1) * data.windows)) for e in (0, 1))
    assert first[0] % 16 != second[0] % 16
    assert (first // 16 == second // 16).mean() < 0.05
    other = sequences(5_000, 16, seed=2).starts(np.arange(data.windows))
    assert (first // 16 == other // 16).mean() < 0.05


def test_minibatches_follow_from_the_step_alone() -> None:
    data = sequences(1_000, 8)
    numbers = data.starts(np.arange(40 * 7))  # over the end of the first epoch
    read = [data.minibatch(step, 7, None).x[:, 0] for step in range(40)]
    assert np.array_equal(np.concatenate(read), (numbers + 1) % 1_000)
    assert np.array_equal(data.minibatch(31, 7, None).x, data.minibatch(31, 7, np.random.default_rng(5)).x)


@few
@given(st.integers(2, 200), st.integers(1, 40))
def test_consecutive_examples_have_each_target_once(count: int, context: int) -> None:
    data = sequences(count, context)
    targets = [y[y != NOT_A_TARGET] for batch in data.chunks(3) for y in batch.y]
    assert np.concatenate(targets).tolist() == [(i + 1) % count for i in range(1, count)]
    last = data.batch(np.array([len(data) - 1]))
    kept = last.y[0] != NOT_A_TARGET
    assert (last.y[0][kept] == (last.x[0][kept] + 1) % count).all()
    assert (last.x[0][~kept] == BOUNDARY).all()
    assert kept[: kept.sum()].all()


def test_samples_are_from_anywhere(rng: np.random.Generator) -> None:
    starts = sequences(100, 8).sample(4_000, rng).x[:, 0] - 1
    assert set(starts.tolist()) == set(range(92))


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(ConfigError, match="context"):
        sequences(10, 0)
    with pytest.raises(DataError, match="two tokens"):
        sequences(1, 4)
    data = TokenSequences(stream_of(100), np.arange(50), 8, counts=Counts(99, 99, 0), seed=1)
    with pytest.raises(DataError, match=r"token \d+ of 'ids' is \d+"):
        data.batch(np.arange(len(data)))
