"""The n-gram model against a slow one made of dictionaries, written straight from the equations."""

from collections import Counter, defaultdict
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import load, save

from backlight.core import (
    BOUNDARY,
    NOT_A_TARGET,
    ConfigError,
    DataError,
    EncodedItems,
    RunError,
    ShapeError,
    VocabularyError,
)
from backlight.models import _counting, _ngram_counts
from backlight.models._add_k import golden_section
from backlight.models._kneser_ney import estimate_discounts
from backlight.models.ngram import NGram, NGramConfig
from backlight.models.protocol import LanguageModel

ORDERS = range(1, 7)
SMOOTHINGS = [("kneser-ney", None), ("add-k", 0.3), ("add-k", 1.0)]


def encode(items, *, ends=True, dtype=np.uint8):
    starts = np.cumsum([0, *map(len, items)], dtype=np.int64)
    return EncodedItems(ids=np.array([i for item in items for i in item], dtype), starts=starts, ends=ends)


def fit(items, *, V, order, smoothing="kneser-ney", k=None, ends=True, dev=None):
    config = NGramConfig(vocabulary_size=V, order=order, smoothing=smoothing, k=k)
    return NGram(config).fit(encode(items, ends=ends), None if dev is None else encode(dev, ends=ends))


def random_items(rng, *, V, items, longest=9):
    """Items with some structure: after i often comes i + 1. Some are empty."""
    found = []
    for _ in range(items):
        item = []
        for _ in range(rng.integers(0, longest)):
            item.append((item[-1] % (V - 1)) + 1 if item and rng.random() < 0.6 else int(rng.integers(1, V)))
        found.append(item)
    return found


def joined(items):
    return [i for item in items for i in item]


def all_contexts(items, order, rng, V, *, ends):
    """Every context that occurs, padded, and as many that need not occur, with boundaries anywhere."""
    seen = {tuple(h) for item in items for h, _ in slow_windows(item, order - 1, ends=ends)}
    drawn = {tuple(int(i) for i in rng.integers(0, V, order - 1)) for _ in range(60)}
    return sorted(seen | drawn)


def slow_windows(item, context, *, ends):
    padded = [BOUNDARY] * context + list(item) + ([BOUNDARY] if ends else [])
    for t in range(context, len(padded)):
        yield padded[t - context : t], padded[t]


class SlowAddK:
    def __init__(self, items, *, V, order, k, ends):
        self.V, self.k = V, k
        windows = [pair for item in items for pair in slow_windows(item, order - 1, ends=ends)]
        self.c = Counter((*h, w) for h, w in windows)
        self.total = Counter(tuple(h) for h, _ in windows)

    def p(self, w, h):
        total = self.total[tuple(h)] + self.k * self.V
        return (self.c[(*h, w)] + self.k) / total if total else 0.0


class SlowKneserNey:
    def __init__(self, items, *, V, order, ends):
        self.V = V
        raw = Counter()
        for item in items:
            text = [BOUNDARY, *item] + ([BOUNDARY] if ends else [])
            for end in range(1, len(text)):
                for n in range(1, min(order, end + 1) + 1):
                    raw[tuple(text[end - n + 1 : end + 1])] += 1
        before = defaultdict(set)
        for gram in raw:
            before[gram[1:]].add(gram[0])
        self.c, self.rows = {}, defaultdict(list)
        for gram, count in raw.items():
            occurrences = len(gram) == order or (len(gram) > 1 and gram[0] == BOUNDARY)
            self.c[gram] = count if occurrences else len(before[gram])
            self.rows[gram[:-1]].append(self.c[gram])
        self.D = {n: self.discounts([c for g, c in self.c.items() if len(g) == n]) for n in range(1, order + 1)}

    @staticmethod
    def discounts(counts):
        n1, n2, n3, n4 = (counts.count(r) for r in (1, 2, 3, 4))
        if 0 in {n1, n2, n3, n4}:
            return [0, 0.5, 1.0, 1.5]
        Y = n1 / (n1 + 2 * n2)
        D = [0, 1 - 2 * Y * n2 / n1, 2 - 3 * Y * n3 / n2, 3 - 4 * Y * n4 / n3]
        return D if all(0 < D[r] < r for r in (1, 2, 3)) else [0, 0.5, 1.0, 1.5]

    def p(self, w, h):
        lower = self.p(w, h[1:]) if h else 1 / self.V
        D = self.D.get(len(h) + 1)
        c, row = self.c.get((*h, w), 0), self.rows.get(tuple(h))
        if not row:
            return lower
        gamma = sum(D[min(other, 3)] for other in row) / sum(row)
        return max(c - D[min(c, 3)], 0) / sum(row) + gamma * lower


def slow(items, *, V, order, smoothing, k, ends):
    if smoothing == "add-k":
        return SlowAddK(items, V=V, order=order, k=k, ends=ends)
    return SlowKneserNey(items, V=V, order=order, ends=ends)


@pytest.mark.parametrize("ends", [True, False], ids=["items", "stream"])
@pytest.mark.parametrize(("smoothing", "k"), [*SMOOTHINGS, ("add-k", 0.0)])
@pytest.mark.parametrize("order", ORDERS)
def test_every_probability_is_that_of_the_equations(order, smoothing, k, ends, rng):
    V = 6
    items = random_items(rng, V=V, items=60) if ends else [joined(random_items(rng, V=V, items=60))]
    model = fit(items, V=V, order=order, smoothing=smoothing, k=k, ends=ends)
    reference = slow(items, V=V, order=order, smoothing=smoothing, k=k, ends=ends)
    contexts = all_contexts(items, order, rng, V, ends=ends)
    expected = [[reference.p(w, h) for w in range(V)] for h in contexts]
    x = np.array(contexts, np.int64).reshape(len(contexts), order - 1)
    assert_allclose(np.exp(model.next_logits(x)), expected, rtol=1e-12, atol=0)


def test_the_slow_model_estimates_discounts_somewhere(rng):
    # Were it to fall back everywhere, the test above would not test the estimate.
    items = random_items(rng, V=6, items=60)
    reference = SlowKneserNey(items, V=6, order=4, ends=True)
    estimated = [n for n, D in reference.D.items() if D[1] != 0.5]
    assert estimated
    assert_array_equal(fit(items, V=6, order=4).discounts, [reference.D[n][1:] for n in range(1, 5)])


@settings(max_examples=60, deadline=None)
@given(data=st.data(), order=st.sampled_from(ORDERS), smoothing=st.sampled_from(SMOOTHINGS), ends=st.booleans())
def test_probabilities_sum_to_one_after_every_context(data, order, smoothing, ends):
    V = data.draw(st.integers(2, 5), "V")
    items = data.draw(st.lists(st.lists(st.integers(1, V - 1), max_size=12), min_size=1, max_size=12), "items")
    if not ends:
        items = [[1, *joined(items)]]
    model = fit(items, V=V, order=order, smoothing=smoothing[0], k=smoothing[1], ends=ends)
    contexts = data.draw(st.lists(st.lists(st.integers(0, V - 1), min_size=order - 1, max_size=order - 1)), "contexts")
    contexts += [h for item in items for h, _ in slow_windows(item, order - 1, ends=ends)]
    p = np.exp(model.next_logits(np.array(contexts, np.int64).reshape(len(contexts), order - 1)))
    assert (p > 0).all()
    assert_allclose(p.sum(1), 1.0, rtol=1e-12)


@pytest.mark.parametrize(("smoothing", "k"), SMOOTHINGS)
@pytest.mark.parametrize("order", [1, 2, 5])
def test_target_nats_are_the_logits_at_the_targets_to_the_bit(order, smoothing, k, rng):
    model = fit(random_items(rng, V=7, items=50), V=7, order=order, smoothing=smoothing, k=k)
    x = rng.integers(0, 7, (200, order - 1))
    y = rng.integers(-1, 7, 200)
    logits = model.next_logits(x)
    nats = model.nll(x, y)
    assert logits.dtype == nats.dtype == np.float64
    assert logits.shape == (200, 7)
    assert_array_equal(nats, np.where(y == NOT_A_TARGET, 0.0, -logits[np.arange(200), y]))


@pytest.mark.parametrize(("smoothing", "k"), [*SMOOTHINGS, ("add-k", None)])
@pytest.mark.parametrize("order", ORDERS)
def test_a_saved_model_comes_back_with_the_same_bits(order, smoothing, k, rng):
    items = random_items(rng, V=5, items=40)
    model = fit(items, V=5, order=order, smoothing=smoothing, k=k, dev=random_items(rng, V=5, items=10))
    again = NGram(model.config)
    again.load_state_dict(load(save({name: array.copy() for name, array in model.state_dict().items()})))
    x = rng.integers(0, 5, (300, order - 1))
    assert_array_equal(again.next_logits(x), model.next_logits(x))
    assert again.k == model.k
    assert again.num_parameters() == model.num_parameters()
    for name, array in again.state_dict().items():
        assert_array_equal(array, model.state_dict()[name])


def test_it_is_a_language_model():
    model: LanguageModel = fit([[1, 2]], V=3, order=3)
    assert (model.vocabulary_size, model.context, model.reads) == (3, 2, "windows")


def test_counts_are_dense_and_complete(rng):
    items = random_items(rng, V=4, items=30)
    model = fit(items, V=4, order=3)
    for order in (1, 2, 3):
        expected = np.zeros((4,) * order, np.int64)
        for item in items:
            for h, w in slow_windows(item, order - 1, ends=True):
                expected[(*h, w)] += 1
        assert_array_equal(model.counts(order), expected)
    assert_array_equal(model.counts(), model.counts(3))


def test_counts_of_two_items_by_hand():
    counts = fit([[1, 2], [1, 1]], V=3, order=2, smoothing="add-k", k=1.0).counts(2)
    assert_array_equal(counts, [[0, 2, 0], [1, 1, 1], [1, 0, 0]])


def test_parameters_are_the_counts_in_use():
    # Item 1 2: bigrams 01 12 20; unigrams 1 2 0; trigram 120 and, at the start, 012. 001 stands for 01 and is not used.
    assert fit([[1, 2]], V=3, order=2).num_parameters() == 6
    assert fit([[1, 2]], V=3, order=3).num_parameters() == 8
    assert fit([[1, 2]], V=3, order=3, smoothing="add-k", k=1.0).num_parameters() == 3


def test_an_empty_item_ends_at_once():
    model = fit([[], [], [1]], V=2, order=3, smoothing="add-k", k=0.0)
    assert_allclose(np.exp(model.next_logits(np.array([[0, 0], [0, 1]]))), [[2 / 3, 1 / 3], [1, 0]])


def test_the_end_of_a_stream_is_not_counted():
    assert fit([[1, 2, 1]], V=3, order=2, ends=False).counts(2)[:, BOUNDARY].sum() == 0


def test_without_smoothing_the_unseen_costs_infinitely_many_nats():
    model = fit([[1, 1]], V=3, order=2, smoothing="add-k", k=0.0)
    x = np.array([[0], [1], [1], [2]])
    assert_array_equal(model.nll(x, np.array([1, 1, 2, 0])), [0.0, np.log(2), np.inf, np.inf])
    assert_array_equal(model.next_logits(np.array([[2]])), [[-np.inf] * 3])


def test_add_k_gives_an_unseen_context_the_uniform_distribution():
    model = fit([[1, 1]], V=3, order=3, smoothing="add-k", k=0.01)
    assert_allclose(np.exp(model.next_logits(np.array([[2, 2]]))), 1 / 3, rtol=1e-15)


def test_kneser_ney_backs_off_from_an_unseen_context_unchanged(rng):
    model = fit(random_items(rng, V=5, items=30), V=5, order=4)
    x = np.array([[3, BOUNDARY, 2], [4, BOUNDARY, 2], [BOUNDARY, BOUNDARY, 2]])  # a boundary inside never occurs
    logits = model.next_logits(x)
    assert_array_equal(logits[0], logits[1])
    assert_array_equal(logits[0], logits[2])


def arrays_of(counts):
    return [*counts.contexts, counts.keys, counts.counts]


@pytest.mark.parametrize("cells", [0, 10**6], ids=["sort", "table"])
@pytest.mark.parametrize("order", ORDERS)
def test_ranks_and_numbers_count_alike(cells, order, rng, monkeypatch):
    monkeypatch.setattr(_ngram_counts, "_TABLE_CELLS_PER_KEY", cells)
    for ends in (True, False):
        items = encode(random_items(rng, V=5, items=100), ends=ends)
        ranked = arrays_of(_ngram_counts._count_by_rank(items, 5, order, _ngram_counts.no_report))
        numbered = arrays_of(_ngram_counts.count_ngrams(items, vocabulary_size=5, order=order))
        for mine, reference in zip(numbered, ranked, strict=True):
            assert mine.dtype == reference.dtype == np.int64
            assert_array_equal(mine, reference)


@given(
    lengths=st.lists(st.integers(0, 90), min_size=1, max_size=12),
    V=st.integers(2, 30),
    order=st.integers(1, 6),
    ends=st.booleans(),
    cells=st.sampled_from([(0, 0), (0, 1 << 24), (1 << 20, 0)]),
    seed=st.integers(0, 99),
)
def test_blocks_do_not_show(lengths, V, order, ends, cells, seed):
    draw = np.random.default_rng(seed)
    items = [draw.integers(1, V, length).tolist() for length in lengths]
    if not ends and not sum(lengths):
        return
    expected = Counter((*h, w) for item in items for h, w in slow_windows(item, order - 1, ends=ends))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_counting, "_BLOCK", 16)
        patch.setattr(_counting, "_RUN", 64)
        patch.setattr(_counting, "_IN_CACHE", cells[0])
        patch.setattr(_counting, "_TABLE", cells[1])
        counts = _ngram_counts.count_ngrams(encode(items, ends=ends), vocabulary_size=V, order=order)
    node, following = np.divmod(counts.keys, V)
    grams = np.concatenate([counts.context_ids(order - 1)[node], following[:, None]], axis=1)
    assert {tuple(gram): count for gram, count in zip(grams.tolist(), counts.counts.tolist(), strict=True)} == expected
    assert counts.is_sound()


@pytest.mark.parametrize(("smoothing", "k"), SMOOTHINGS)
def test_all_of_unicode_at_order_six_does_not_overflow(smoothing, k, rng):
    V = 1_114_112  # V**6 has 121 bits
    items = [[V - i for i in item] for item in random_items(rng, V=30, items=300)]
    config = NGramConfig(vocabulary_size=V, order=6, smoothing=smoothing, k=k)
    model = NGram(config).fit(encode(items, dtype=np.uint32))
    reference = slow(items, V=V, order=6, smoothing=smoothing, k=k, ends=True)
    seen = [pair for item in items for pair in slow_windows(item, 5, ends=True)]
    drawn = [(rng.integers(V - 30, V, 5).tolist(), int(rng.integers(V - 30, V))) for _ in range(200)]
    x, y = np.array([h for h, _ in seen + drawn]), np.array([w for _, w in seen + drawn])
    expected = [-np.log(reference.p(w, h)) for h, w in seen + drawn]
    assert_allclose(model.nll(x, y), expected, rtol=1e-12)


def test_discounts_are_those_of_the_equations():
    counts = np.repeat([1, 2, 3, 4, 5, 9], [8, 4, 2, 1, 7, 3])
    Y = 8 / 16
    assert_allclose(estimate_discounts(counts), [1 - 2 * Y * 4 / 8, 2 - 3 * Y * 2 / 4, 3 - 4 * Y * 1 / 2])


@pytest.mark.parametrize(
    "numbers", [[0, 4, 2, 1], [8, 0, 2, 1], [8, 4, 0, 1], [8, 4, 2, 0], [8, 4, 2, 9], [9, 1, 9, 1]]
)
def test_discounts_without_a_meaning_fall_back(numbers):
    assert estimate_discounts(np.repeat([1, 2, 3, 4], numbers)) == (0.5, 1.0, 1.5)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_tuned_k_is_the_best_on_dev_and_always_the_same(order, rng):
    train, dev = random_items(rng, V=9, items=60), random_items(rng, V=9, items=30)
    tuned = fit(train, V=9, order=order, smoothing="add-k", dev=dev)
    windows = [pair for item in dev for pair in slow_windows(item, order - 1, ends=True)]
    x, y = np.array([h for h, _ in windows], np.int64), np.array([w for _, w in windows])
    x = x.reshape(len(y), order - 1)

    def nats(k):
        return fit(train, V=9, order=order, smoothing="add-k", k=k).nll(x, y).mean()

    best = tuned.nll(x, y).mean()
    assert tuned.k == fit(train, V=9, order=order, smoothing="add-k", dev=dev).k
    assert best <= min(nats(k) for k in np.logspace(-5, 3, 33)) + 1e-9
    assert nats(tuned.k * 1.1) > best
    assert nats(tuned.k / 1.1) > best


def test_golden_section_finds_the_bottom():
    assert golden_section(lambda at: (at - 0.7) ** 2, -3.0, 5.0) == pytest.approx(0.7, abs=1e-3)


@pytest.mark.parametrize(
    "settings",
    [
        {"vocabulary_size": 1},
        {"vocabulary_size": 5, "order": 0},
        {"vocabulary_size": 5, "order": 7},
        {"vocabulary_size": 5, "order": 2.5},
        {"vocabulary_size": 5, "smoothing": "laplace"},
        {"vocabulary_size": 5, "k": 1.0},
        {"vocabulary_size": 5, "smoothing": "add-k", "k": -0.1},
        {"vocabulary_size": 5, "smoothing": "add-k", "k": float("nan")},
        {"vocabulary_size": 5, "smoothing": "add-k", "k": float("inf")},
    ],
    ids=str,
)
def test_settings_outside_their_range_are_refused_in_one_line(settings):
    with pytest.raises(ConfigError, match=r"^[^\n]+; got [^\n]+\.$"):
        NGramConfig(**settings)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ConfigError, match="needs dev items"):
        fit([[1]], V=3, order=2, smoothing="add-k")
    with pytest.raises(DataError, match="train needs at least one character"):
        fit([], V=3, order=2)
    with pytest.raises(DataError, match="dev needs at least one character"):
        fit([[1]], V=3, order=2, smoothing="add-k", dev=[])
    with pytest.raises(VocabularyError, match=r"1\.\.2; got 1\.\.3"):
        fit([[1, 3]], V=3, order=2)
    with pytest.raises(VocabularyError, match=r"1\.\.2; got 0\.\.1"):
        fit([[1, 0]], V=3, order=2)


def test_what_cannot_be_read_is_refused():
    model = fit([[1, 2]], V=3, order=3)
    with pytest.raises(ShapeError, match=r"\(B, 2\); got \(4, 3\)"):
        model.next_logits(np.zeros((4, 3), np.int64))
    with pytest.raises(ShapeError, match=r"y needs .* \(4,\); got \(4, 2\)"):
        model.nll(np.zeros((4, 2), np.int64), np.zeros((4, 2), np.int64))
    for x, y in product(([[0, 3]], [[-1, 0]]), ([0],)):
        with pytest.raises(VocabularyError, match="ids of x"):
            model.nll(np.array(x), np.array(y))
    with pytest.raises(VocabularyError, match="ids of y"):
        model.nll(np.array([[0, 1]]), np.array([3]))
    with pytest.raises(ConfigError, match=r"1 to the model's 3; got 4"):
        model.counts(4)
    with pytest.raises(ConfigError, match="2\\*\\*26;"):
        fit([[1, 2]], V=10_000, order=3).counts(2)
    with pytest.raises(ConfigError, match="fit or load_state_dict first"):
        NGram(NGramConfig(vocabulary_size=3)).next_logits(np.zeros((1, 4), np.int64))


def test_no_rows_give_no_numbers():
    model = fit([[1, 2]], V=3, order=3)
    x = np.zeros((0, 2), np.int64)
    assert model.next_logits(x).shape == (0, 3)
    assert model.nll(x, np.zeros(0, np.int64)).shape == (0,)


def damaged(name, change):
    return pytest.param(name, change, id=name)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        damaged("contexts.1", lambda a: a[::-1]),
        damaged("contexts.2", lambda a: a + 1000),
        damaged("ngrams", lambda a: a - 1000),
        damaged("ngrams", lambda a: a[:-1]),
        damaged("ngrams", lambda a: a.astype(np.float64)),
        damaged("ngrams", lambda a: a[:0]),
        damaged("counts", lambda a: a * 0),
        damaged("counts", lambda a: a.astype(np.float32)),
        damaged("discounts", lambda a: a * np.nan),
        damaged("discounts", lambda a: a[1:]),
        damaged("discounts", lambda a: a + 3),
    ],
)
def test_damaged_weights_are_refused_and_leave_the_model_as_it_was(name, change, rng):
    model = fit(random_items(rng, V=4, items=20), V=4, order=3)
    x = rng.integers(0, 4, (20, 2))
    before = model.next_logits(x)
    state = model.state_dict()
    with pytest.raises(RunError, match=r"^an n-gram state needs"):
        model.load_state_dict({**state, name: change(state[name])})
    assert_array_equal(model.next_logits(x), before)


def test_weights_of_another_config_are_refused():
    model = fit([[1, 2]], V=4, order=3)
    with pytest.raises(RunError, match=r"must have the names .*; got"):
        NGram(NGramConfig(vocabulary_size=4, order=4)).load_state_dict(model.state_dict())
    with pytest.raises(RunError, match=r"must have the names .*; got"):
        NGram(NGramConfig(vocabulary_size=4, order=3, smoothing="add-k")).load_state_dict(model.state_dict())
    with pytest.raises(RunError, match="V=2"):
        NGram(NGramConfig(vocabulary_size=2, order=3)).load_state_dict(model.state_dict())


def test_loaded_discounts_are_used_not_estimated_again():
    model = fit([[1, 2], [2, 1, 1]], V=3, order=2)
    state = {**model.state_dict(), "discounts": np.full((2, 3), 0.4)}
    before = model.next_logits(np.array([[1]]))
    model.load_state_dict(state)
    assert_array_equal(model.discounts, state["discounts"])
    assert not np.allclose(model.next_logits(np.array([[1]])), before)


@pytest.mark.parametrize(("smoothing", "k"), SMOOTHINGS)
@pytest.mark.parametrize("ends", [True, False])
def test_the_mean_of_distinct_n_grams_is_that_of_all_targets(smoothing, k, ends, rng):
    train, dev = (encode(random_items(rng, V=5, items=n), ends=ends) for n in (80, 40))
    model = NGram(NGramConfig(vocabulary_size=5, order=3, smoothing=smoothing, k=k)).fit(train, dev)
    for asked, items in ((None, train), (dev, dev)):
        every = model.nll(*_ngram_counts.windows(items, model.context))
        assert model.mean_nats(asked) == pytest.approx(every.mean(), rel=1e-12)
    assert model.targets == train.targets


@pytest.mark.parametrize(("V", "order"), [(5, 3), (1 << 20, 6)], ids=["packed", "ranked"])
def test_a_long_count_reports_its_share(V, order, rng, monkeypatch):
    monkeypatch.setattr(_counting, "_BLOCK", 16)
    told: list[float] = []
    items = encode(random_items(rng, V=5, items=100))
    NGram(NGramConfig(vocabulary_size=V, order=order)).fit(items, on_progress=told.append)
    assert len(told) > 4
    assert told == sorted(told)
    assert 0 < told[0] < told[-1] < 1


def test_a_short_count_reports_nothing(rng):
    told: list[float] = []
    NGram(NGramConfig(vocabulary_size=5, order=3)).fit(encode(random_items(rng, V=5, items=9)), on_progress=told.append)
    assert not told


def test_an_unknown_id_is_unseen_and_so_is_all_before_it():
    """It is no id counted from the end of the vocabulary."""
    counts = _ngram_counts.count_ngrams(encode([[1, 2, 1, 2, 2]]), vocabulary_size=3, order=3)
    x = np.array([[1, 2], [_ngram_counts.UNKNOWN, 2], [2, _ngram_counts.UNKNOWN]])
    found = counts.find(x)
    assert_array_equal(found[1] == counts.nodes(1), [False, False, True])
    assert_array_equal(found[2] == counts.nodes(2), [False, True, True])
