"""Numbers from the lectures, and what held-out names say of the two smoothings."""

import math
import random

import numpy as np
import pytest

from backlight.core import EncodedItems
from backlight.models._ngram_counts import windows
from backlight.models.ngram import NGram, NGramConfig

V = 27


def encode(names):
    ids = np.frombuffer("".join(names).encode("ascii"), np.uint8) - (ord("a") - 1)
    return EncodedItems(ids=ids, starts=np.cumsum([0, *map(len, names)], dtype=np.int64))


@pytest.fixture
def names(makemore_names):
    return makemore_names.read_text(encoding="utf-8").split()


@pytest.fixture
def lecture_split(names):
    random.Random(42).shuffle(names)
    first, second = int(0.8 * len(names)), int(0.9 * len(names))
    return encode(names[:first]), encode(names[first:second])


def nats(model, items):
    return model.nll(*windows(items, model.context)).mean()


@pytest.mark.parametrize(("k", "expected"), [(0.0, 2.4540), (1.0, 2.4546)])
def test_counted_bigrams_over_all_lines(names, k, expected):
    items = encode(names)
    model = NGram(NGramConfig(vocabulary_size=V, order=2, smoothing="add-k", k=k)).fit(items)
    assert items.targets == 228_146
    assert nats(model, items) == pytest.approx(expected, abs=5e-5)


def test_endless_smoothing_is_the_uniform_distribution(names):
    items = encode(names)
    model = NGram(NGramConfig(vocabulary_size=V, order=2, smoothing="add-k", k=1e12)).fit(items)
    assert nats(model, items) == pytest.approx(3.2958, abs=5e-5)
    assert math.log(V) == pytest.approx(3.2958, abs=5e-5)


def test_the_lectures_bigram_counts(names):
    counts = NGram(NGramConfig(vocabulary_size=V, order=2)).fit(encode(names)).counts(2)
    a, n = 1, 14
    assert counts[n, 0] == 6763  # "n." is the most frequent pair of the lecture
    assert counts[a, 0] == 6640
    assert counts[a, n] == 5438
    assert counts[0, a] == 4410


@pytest.mark.parametrize("order", [3, 4, 5, 6])
def test_kneser_ney_beats_add_k_on_dev(lecture_split, order):
    train, dev = lecture_split
    kneser_ney = NGram(NGramConfig(vocabulary_size=V, order=order)).fit(train)
    add_k = NGram(NGramConfig(vocabulary_size=V, order=order, smoothing="add-k")).fit(train, dev)
    assert nats(kneser_ney, dev) < nats(add_k, dev)


@pytest.mark.parametrize(("order", "expected"), [(2, 2.4528), (3, 2.2185), (4, 2.0564), (5, 1.9841), (6, 1.9746)])
def test_kneser_ney_on_dev_stays_where_it_was(lecture_split, order, expected):
    # Our own measurements: a change of these is a change of the model.
    train, dev = lecture_split
    assert nats(NGram(NGramConfig(vocabulary_size=V, order=order)).fit(train), dev) == pytest.approx(expected, abs=5e-5)
