"""Windows and sequences against what a loop over the items says."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.core import BOUNDARY, NOT_A_TARGET, Batch, ConfigError, DataError, EncodedItems
from backlight.text import Sequences, Vocabulary, Windows

id_lists = st.lists(st.lists(st.integers(1, 9), max_size=12), min_size=1, max_size=8)
contexts = st.integers(1, 15)


def encoded(items: list[list[int]], ends: bool = True) -> EncodedItems:
    ids = np.array([i for item in items for i in item], dtype=np.uint8)
    return EncodedItems(ids, np.cumsum([0, *map(len, items)]).astype(np.int64), ends)


def windows_by_loop(items: list[list[int]], context: int, ends: bool) -> list[tuple[list[int], int]]:
    """The lectures' way: slide a context along each item."""
    rows = []
    for item in items:
        window = [BOUNDARY] * context
        for target in item + [BOUNDARY] * ends:
            rows.append((window, target))
            window = [*window, target][1:]
    return rows


def sequences_by_loop(items: list[list[int]], width: int, ends: bool) -> list[tuple[list[int], list[int]]]:
    rows = []
    for item in items:
        x, y = [BOUNDARY, *item], item + [BOUNDARY] * ends
        for start in range(0, len(y), width):
            targets = y[start : start + width]
            blank = width - len(targets)
            rows.append(
                (x[start : start + len(targets)] + [BOUNDARY] * blank, targets + [NOT_A_TARGET] * blank),
            )
    return rows


def is_well_made(batch: Batch) -> bool:
    return all(a.dtype == np.int64 and a.flags.c_contiguous and a.flags.writeable for a in (batch.x, batch.y))


@given(id_lists, st.integers(0, 15), st.booleans(), st.integers(1, 7), st.sampled_from([(1 << 26, 1 << 20), (0, 5)]))
def test_windows_are_those_of_the_loop(items, context, ends, size, limits):
    given_items = encoded(items, ends)
    if not given_items.targets:
        return
    expected = windows_by_loop(items, context, ends)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backlight.text.batches.LISTED", limits[0])
        patch.setattr("backlight.text.batches.BLOCK", limits[1])
        windows = Windows(given_items, context)
    assert len(windows) == windows.targets == given_items.targets == len(expected)
    assert windows.context == context
    batches = list(windows.chunks(size))
    assert all(len(batch.y) == size for batch in batches[:-1])
    assert all(is_well_made(batch) and batch.x.shape == (len(batch.y), context) for batch in batches)
    got = [(x.tolist(), int(y)) for batch in batches for x, y in zip(batch.x, batch.y, strict=True)]
    assert got == expected


@given(id_lists, contexts, st.booleans(), st.integers(1, 7), st.sampled_from([1, 5, 1 << 20]))
def test_sequences_are_those_of_the_loop(items, context, ends, size, block):
    given_items = encoded(items, ends)
    if not given_items.targets:
        return
    width = min(context, max(len(item) + ends for item in items))
    expected = sequences_by_loop(items, width, ends)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backlight.text.batches.BLOCK", block)
        sequences = Sequences(given_items, context)
    assert len(sequences) == len(expected)
    assert (sequences.targets, sequences.context) == (given_items.targets, context)
    batches = list(sequences.chunks(size))
    assert all(is_well_made(batch) and batch.x.shape == batch.y.shape == (len(batch.y), width) for batch in batches)
    got = [(x.tolist(), y.tolist()) for batch in batches for x, y in zip(batch.x, batch.y, strict=True)]
    assert got == expected


@given(id_lists, contexts, st.booleans())
def test_every_target_is_counted_once(items, context, ends):
    given_items = encoded(items, ends)
    if not given_items.targets:
        return
    expected = Counter(i for item in items for i in item + [BOUNDARY] * ends)
    for dataset in (Windows(given_items, context), Sequences(given_items, context)):
        counted = Counter(int(y) for batch in dataset.chunks(5) for y in batch.y.ravel() if y != NOT_A_TARGET)
        assert counted == expected


@given(st.lists(st.integers(0, 8), min_size=2, max_size=8), contexts)
def test_no_window_reaches_into_another_item(lengths, context):
    items = [[i + 1] * length for i, length in enumerate(lengths)]  # an item's ids tell which item it is
    windows = Windows(encoded(items), context)
    (batch,) = windows.chunks(len(windows))
    for x, y in zip(batch.x, batch.y, strict=True):
        assert len({*x.tolist(), int(y)} - {BOUNDARY}) <= 1
    (batch,) = Sequences(encoded(items), context).chunks(1000)
    for x, y in zip(batch.x, batch.y, strict=True):
        assert len({*x.tolist(), *y.tolist()} - {BOUNDARY, NOT_A_TARGET}) <= 1


def test_batch_takes_any_rows():
    items = [[1, 2], [3]]
    expected = windows_by_loop(items, 2, ends=True)
    batch = Windows(encoded(items), 2).batch(np.array([4, 0, 4]))
    assert batch.x.tolist() == [expected[4][0], expected[0][0], expected[4][0]]
    assert batch.y.tolist() == [0, 1, 0]
    batch = Sequences(encoded(items), 2).batch(np.array([2, 0]))
    assert batch.x.tolist() == [[0, 3], [0, 1]]
    assert batch.y.tolist() == [[3, 0], [1, 2]]


@pytest.mark.parametrize("kind", [Windows, Sequences])
def test_samples_are_examples_drawn_evenly(kind, rng):
    dataset = kind(encoded([[1, 2, 3], [4], [5, 6]]), 2)
    (whole,) = dataset.chunks(100)
    examples = Counter(map(str, np.column_stack([whole.x, whole.y]).tolist()))
    draws = 600 * len(dataset)
    batch = dataset.sample(draws, rng)
    assert is_well_made(batch)
    drawn = Counter(map(str, np.column_stack([batch.x, batch.y]).tolist()))
    assert drawn.keys() == examples.keys()
    for example, times in examples.items():
        # five standard deviations of a binomial count with mean 600
        assert abs(drawn[example] - 600 * times) < 5 * np.sqrt(600 * times)


def test_the_same_generator_state_gives_the_same_sample():
    dataset = Windows(encoded([[1, 2, 3], [4, 5]]), 2)
    first, second = (dataset.sample(16, np.random.default_rng(3)) for _ in range(2))
    assert first.x.tolist() == second.x.tolist()
    assert first.y.tolist() == second.y.tolist()


def test_a_stream_is_sampled_anywhere_and_walked_once(rng):
    ids = list(range(1, 11))
    stream = Sequences(encoded([ids], ends=False), 4)
    assert [batch.y.tolist() for batch in stream.chunks(1)] == [
        [[1, 2, 3, 4]],
        [[5, 6, 7, 8]],
        [[9, 10, NOT_A_TARGET, NOT_A_TARGET]],
    ]
    batch = stream.sample(2000, rng)
    assert is_well_made(batch)
    assert set(batch.y[:, 0].tolist()) == set(range(1, 8)), "every place, the first and the last included"
    assert (batch.y == batch.y[:, :1] + np.arange(4)).all()
    assert (batch.x[:, 1:] == batch.y[:, :-1]).all()
    assert (batch.x[:, 0] == batch.y[:, 0] - 1).all(), "before the first character stands the boundary"


def test_a_stream_shorter_than_the_context(rng):
    stream = Sequences(encoded([[1, 2]], ends=False), 8)
    batch = stream.sample(3, rng)
    assert batch.x.tolist() == [[0, 1]] * 3
    assert batch.y.tolist() == [[1, 2]] * 3


def test_several_streams_are_not_run_together(rng):
    batch = Sequences(encoded([[1, 1, 1], [2, 2]], ends=False), 2).sample(200, rng)
    rows = {tuple(row) for row in np.column_stack([batch.x, batch.y]).tolist()}
    assert rows == {(0, 1, 1, 1), (1, 0, 1, -1), (0, 2, 2, 2)}


def test_large_vocabularies_keep_their_ids():
    vocabulary = Vocabulary("".join(map(chr, range(0x4E00, 0x4E00 + 300))))
    items = vocabulary.encode_items([vocabulary.characters])
    (batch,) = Windows(items, 1).chunks(1000)
    assert batch.y.tolist() == [*range(1, 301), 0]


@pytest.mark.parametrize("kind", [Windows, Sequences])
def test_what_cannot_be_a_data_set(kind):
    with pytest.raises(ConfigError, match=r"context must be . or larger; got -1"):
        kind(encoded([[1]]), -1)
    with pytest.raises(DataError, match="at least one target"):
        kind(encoded([[]], ends=False), 3)
    with pytest.raises(DataError, match="at least one target"):
        kind(encoded([]), 3)
    assert kind(encoded([[]]), 3).targets == 1
