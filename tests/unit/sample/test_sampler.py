"""Batched sampling from models whose probabilities are known."""

from collections import Counter

import numpy as np
import pytest

from backlight.core import BOUNDARY, ConfigError, DomainError, VocabularyError
from backlight.models.bigram import Bigram, BigramConfig
from backlight.models.mlp import MLP, MLPConfig
from backlight.models.ngram import NGram, NGramConfig
from backlight.sample import Sample, SampleConfig, sample_batch, score_items
from backlight.sample import sampler as module
from backlight.text import Vocabulary

PLAIN = SampleConfig()


def seeded(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def texts(samples: list[Sample]) -> list[str]:
    return [sample.text for sample in samples]


def test_200_000_items_are_distributed_as_the_chain_says(chain, abc):
    n = 200_000
    samples = sample_batch(chain, abc, n, config=SampleConfig(max_length=3), rng=seeded())
    expected: dict[str, float] = {}

    def walk(text: str, last: int, p: float) -> None:
        for one, q in enumerate(chain.p[last]):
            if q == 0:
                continue
            longer = text if one == BOUNDARY else text + abc.characters[one - 1]
            if one == BOUNDARY or len(longer) == 3:
                name = longer + ("." if one == BOUNDARY else "+")
                expected[name] = expected.get(name, 0) + p * q
            else:
                walk(longer, one, p * q)

    walk("", BOUNDARY, 1.0)
    seen = Counter(sample.text + ("." if sample.ended else "+") for sample in samples)
    assert set(seen) <= set(expected)
    assert sum(expected.values()) == pytest.approx(1)
    chi2 = sum((seen[name] - n * p) ** 2 / (n * p) for name, p in expected.items())
    k = len(expected) - 1
    assert chi2 < k + 3.1 * (2 * k) ** 0.5 + 4  # above the 99.9th percentile of chi-square, near enough; fixed seed


def test_the_filters_decide_what_is_drawn(chain, abc):
    kept = sample_batch(chain, abc, 500, config=SampleConfig(top_k=1, max_length=4), rng=seeded())
    assert set(texts(kept)) == {"a"}  # a after the boundary, the end after a
    nucleus = sample_batch(chain, abc, 500, config=SampleConfig(top_p=0.75, max_length=1), rng=seeded())
    assert set(texts(nucleus)) == {"a", "b"}
    cold = sample_batch(chain, abc, 5, config=SampleConfig(temperature=0), rng=seeded())
    assert texts(cold) == ["a"] * 5


def test_temperature_sharpens(chain, abc):
    def share_of_a(temperature: float) -> float:
        config = SampleConfig(temperature=temperature, max_length=1)
        return np.mean([text == "a" for text in texts(sample_batch(chain, abc, 20_000, config=config, rng=seeded()))])

    assert share_of_a(0.5) == pytest.approx(0.25 / 0.38, abs=0.015)
    assert share_of_a(1.0) == pytest.approx(0.5, abs=0.015)
    assert share_of_a(100.0) == pytest.approx(1 / 3, abs=0.015)


@pytest.mark.parametrize("config", [PLAIN, SampleConfig(temperature=1.7, top_k=3), SampleConfig(prefix="cb")])
def test_nats_and_probabilities_are_the_models_own(chain, abc, config):
    for sample in sample_batch(chain, abc, 300, config=config, rng=seeded()):
        ids = abc.encode(sample.text).tolist() + [BOUNDARY] * sample.ended
        p = chain.p_along(ids)[len(config.prefix) :]
        np.testing.assert_allclose(sample.probabilities, p, rtol=1e-12)
        assert sample.nats == pytest.approx(-np.log(p).sum(), rel=1e-12)


def test_nats_are_what_scoring_says():
    vocabulary = Vocabulary("abcdef")
    for model in (
        MLP(MLPConfig(vocabulary_size=7, context=3, embedding=4, hidden=(9,)), rng=seeded()),
        NGram(NGramConfig(vocabulary_size=7, order=3)).fit(vocabulary.encode_items(["abc", "fed", "abba", "cafe"])),
    ):
        samples = [s for s in sample_batch(model, vocabulary, 200, config=PLAIN, rng=seeded()) if s.ended]
        assert len(samples) > 100
        scores = score_items(model, vocabulary, texts(samples))
        np.testing.assert_allclose([s.nats for s in samples], [s.nats for s in scores], rtol=2e-6)


def test_a_seed_decides_all(chain, abc):
    first, second, other = (sample_batch(chain, abc, 100, config=PLAIN, rng=seeded(seed)) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_prefix_starts_every_text_and_is_read(make_table, abc):
    # after "a" comes "b" or "c", and after those the end
    model = make_table([[0, 1, 0, 0], [0, 0, 0.5, 0.5], [1, 0, 0, 0], [1, 0, 0, 0]])
    samples = sample_batch(model, abc, 50, config=SampleConfig(prefix="cba"), rng=seeded())
    assert set(texts(samples)) == {"cbab", "cbac"}
    assert all(len(sample.probabilities) == 2 for sample in samples)


def test_max_length_counts_what_was_drawn(make_table, abc):
    forever = make_table([[0, 1, 0, 0]] * 4)
    for length in (1, 5):
        samples = sample_batch(forever, abc, 3, config=SampleConfig(max_length=length, prefix="bb"), rng=seeded())
        assert texts(samples) == ["bb" + "a" * length] * 3
        assert not any(sample.ended for sample in samples)
        assert all(len(sample.probabilities) == length for sample in samples)
        assert [sample.nats for sample in samples] == [0.0] * 3


def test_the_end_is_not_shown_and_counts(make_table, abc):
    at_once = make_table([[0.5, 0.5, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]])
    samples = sample_batch(at_once, abc, 40, config=PLAIN, rng=seeded())
    assert {(s.text, s.probabilities, s.ended) for s in samples} == {("", (0.5,), True), ("a", (0.5, 1.0), True)}


def test_running_text_has_no_end(chain, abc):
    samples = sample_batch(chain, abc, 20, config=SampleConfig(max_length=30), rng=seeded(), ends=False)
    assert all(len(sample.text) == 30 and not sample.ended for sample in samples)
    assert "ab" not in "|".join(texts(samples))
    # nats stay those of the whole distribution, the end included
    assert samples[0].probabilities == pytest.approx(chain.p_along(abc.encode(samples[0].text).tolist()))


def test_windows_have_boundaries_on_the_left_and_slide(make_table, abc):
    model = make_table([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0]], context=3)
    assert texts(sample_batch(model, abc, 2, config=PLAIN, rng=seeded())) == ["abc", "abc"]
    assert [x[0].tolist() for x in model.asked] == [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3]]


def test_sequences_start_from_one_boundary_and_slide_when_full(make_table, abc):
    rows = [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0]]
    model = make_table(rows, context=3, reads="sequences")
    assert texts(sample_batch(model, abc, 2, config=PLAIN, rng=seeded())) == ["abc", "abc"]
    assert [x[0].tolist() for x in model.asked] == [[0], [0, 1], [0, 1, 2], [1, 2, 3]]
    model = make_table(rows, context=3, reads="sequences")
    sample_batch(model, abc, 1, config=SampleConfig(prefix="caa", max_length=1), rng=seeded())
    assert model.asked[0].tolist() == [[3, 1, 1]]


def test_a_model_that_looks_back_nowhere(abc):
    unigram = NGram(NGramConfig(vocabulary_size=4, order=1)).fit(abc.encode_items(["aab", "ca"]))
    samples = sample_batch(unigram, abc, 2000, config=PLAIN, rng=seeded())
    ends = sum(sample.ended for sample in samples)
    characters = Counter("".join(texts(samples)))
    assert ends == 2000
    p = np.exp(unigram.next_logits(np.zeros((1, 0), np.int64)))[0]
    assert characters["a"] / (ends + characters.total()) == pytest.approx(p[1], abs=0.02)


ONWARD = [[0.0, 0.5, 0.3, 0.2], [0.4, 0.3, 0.0, 0.3], [0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]]


@pytest.mark.parametrize("reads", ["windows", "sequences"])
def test_what_texts_have_in_common_is_read_once_and_what_has_ended_not_at_all(make_table, abc, reads):
    model = make_table(ONWARD, context=7, reads=reads)
    samples = sample_batch(model, abc, 1000, config=SampleConfig(max_length=6), rng=seeded())
    for length, x in enumerate(model.asked):
        beginnings = {s.text[:length] for s in samples if len(s.text) + s.ended > length}
        assert {abc.decode(row[row != BOUNDARY]) for row in x} == beginnings
        assert len(x) == len(beginnings)
    assert len(model.asked) == 6


def test_so_few_contexts_are_all_read_once(chain, abc):
    chain_of_three = sample_batch(chain, abc, 1000, config=PLAIN, rng=seeded())
    assert [x.tolist() for x in chain.asked] == [[[0], [1], [2], [3]]]
    assert len({sample.text for sample in chain_of_three}) > 50


def test_a_table_of_contexts_draws_what_reading_them_draws(make_table, abc):
    """With three times as many texts as would fill the table, and with two fewer than that."""
    tabulated, read = (make_table(ONWARD, context=3) for _ in range(2))
    many = sample_batch(tabulated, abc, 22, config=PLAIN, rng=seeded())
    again = sample_batch(read, abc, 21, config=PLAIN, rng=seeded())
    assert len(tabulated.asked) == 1
    assert len(read.asked) > 3
    for sample in many + again:
        p = tabulated.p_along([*abc.encode(sample.text).tolist(), BOUNDARY][: len(sample.probabilities)])
        np.testing.assert_allclose(sample.probabilities, p, rtol=1e-12)


def test_many_go_through_the_model_a_part_at_a_time(make_table, abc):
    model = make_table([[0, 1 / 3, 1 / 3, 1 / 3]] * 4, context=10)
    samples = sample_batch(model, abc, 20_000, config=SampleConfig(max_length=10), rng=seeded())
    assert len(samples) == 20_000
    assert max(len(x) for x in model.asked) == 4096
    assert sum(len(x) == 1 for x in model.asked) == 2  # two parts, of 16,384 texts and of the rest


def test_the_parts_shrink_with_the_vocabulary(make_table):
    size = 1000
    vocabulary = Vocabulary("".join(chr(0x4E00 + i) for i in range(size - 1)))
    model = make_table(np.ones((size, size)), context=2)
    sample_batch(model, vocabulary, 3000, config=SampleConfig(max_length=1), rng=seeded())
    assert [len(x) for x in model.asked] == [1, 1, 1]


def test_contexts_of_a_table_that_never_come_about_may_be_without_a_chance(abc):
    """Nothing was counted after "aa"; of 64 contexts, most are such, and none is met."""
    config = NGramConfig(vocabulary_size=4, order=4, smoothing="add-k", k=0)
    model = NGram(config).fit(abc.encode_items(["abc", "bca"]))
    samples = sample_batch(model, abc, 100, config=PLAIN, rng=seeded())
    assert set(texts(samples)) == {"abc", "bca"}
    with pytest.raises(DomainError, match=r"after 'caa'.*smoothing"):
        sample_batch(model, abc, 100, config=SampleConfig(prefix="caa"), rng=seeded())


def test_a_bigram_network_samples_its_table(abc):
    model = Bigram(BigramConfig(vocabulary_size=4), rng=seeded())
    n = 40_000
    samples = sample_batch(model, abc, n, config=SampleConfig(max_length=1), rng=seeded())
    seen = Counter(texts(samples))
    p = np.exp(model.next_logits(np.zeros((1, 1), np.int64))[0].astype(float))
    p /= p.sum()
    for text, share in zip(["", "a", "b", "c"], p, strict=True):
        assert seen[text] / n == pytest.approx(share, abs=0.01)


def test_what_was_never_counted_is_never_drawn():
    items = ["abc", "acb", "bca"]
    vocabulary = Vocabulary.of(items)
    model = NGram(NGramConfig(vocabulary_size=4, order=2, smoothing="add-k", k=0)).fit(vocabulary.encode_items(items))
    pairs = {f"|{item}|"[i : i + 2] for item in items for i in range(4)}
    for sample in sample_batch(model, vocabulary, 5000, config=PLAIN, rng=seeded()):
        text = f"|{sample.text}" + "|" * sample.ended
        assert all(text[i : i + 2] in pairs for i in range(len(text) - 1))
        assert np.isfinite(sample.nats)


def test_a_place_from_which_nothing_follows_is_named():
    vocabulary = Vocabulary("abc")
    config = NGramConfig(vocabulary_size=4, order=3, smoothing="add-k", k=0)
    model = NGram(config).fit(vocabulary.encode_items(["abc"]))
    with pytest.raises(DomainError, match=r"after 'cc'.*smoothing") as caught:
        sample_batch(model, vocabulary, 3, config=SampleConfig(prefix="acc"), rng=seeded())
    assert "\n" not in str(caught.value)
    # in running text, the end would be all that follows "bc"
    with pytest.raises(DomainError, match="after 'bc'"):
        sample_batch(model, vocabulary, 3, config=PLAIN, rng=seeded(), ends=False)


def test_a_diverged_model_is_named(make_table, abc):
    with pytest.raises(DomainError, match=r"nan after ''.*diverged"):
        sample_batch(make_table(np.full((4, 4), np.nan)), abc, 2, config=PLAIN, rng=seeded())


@pytest.mark.parametrize(
    ("prefix", "message"),
    [("aXb", r"'X' \(U\+0058\) in 'aXb'. Remove"), ("é", r"'é' \(U\+00E9\)"), ("Ab", r"'A' \(U\+0041\).*Try 'a'")],
)
def test_a_prefix_that_the_model_does_not_know(chain, abc, prefix, message):
    with pytest.raises(VocabularyError, match=message) as caught:
        sample_batch(chain, abc, 1, config=SampleConfig(prefix=prefix), rng=seeded())
    assert "\n" not in str(caught.value)


def test_a_vocabulary_of_another_model(chain):
    with pytest.raises(VocabularyError, match="of 4 ids; got one of 3"):
        sample_batch(chain, Vocabulary("ab"), 1, config=PLAIN, rng=seeded())


def test_none_is_not_a_count(chain, abc):
    with pytest.raises(ConfigError, match="count"):
        sample_batch(chain, abc, 0, config=PLAIN, rng=seeded())


@pytest.mark.parametrize("settings", [{"max_length": 0}, {"temperature": -0.1}, {"top_k": 0}, {"top_p": 2.0}])
def test_a_config_is_checked_when_it_is_made(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        SampleConfig(**settings)


def test_plain_sampling_is_filtered_sampling_with_filters_that_keep_all(chain, abc, monkeypatch):
    everything = SampleConfig(top_k=4)
    assert everything.filters
    assert not PLAIN.filters
    unfiltered = sample_batch(chain, abc, 200, config=PLAIN, rng=seeded())
    assert texts(unfiltered) == texts(sample_batch(chain, abc, 200, config=everything, rng=seeded()))
    monkeypatch.setattr(module, "probabilities", None)  # and what needs no filter does not go through one
    assert sample_batch(chain, abc, 200, config=PLAIN, rng=seeded()) == unfiltered
