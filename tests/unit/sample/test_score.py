"""Scores against a loop, and against the models' own mean loss."""

import math

import numpy as np
import pytest

from backlight.core import ConfigError, DataError, DomainError, VocabularyError
from backlight.models.bigram import Bigram, BigramConfig
from backlight.models.mlp import MLP, MLPConfig
from backlight.models.ngram import NGram, NGramConfig
from backlight.sample import Score, order, score_items
from backlight.text import Vocabulary, Windows

ITEMS = ["abc", "c", "", "bb", "acca", "cab" * 20]


def seeded(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("reads", ["windows", "sequences"])
@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("context", [1, 4, 100])
def test_scores_are_those_of_a_loop(make_table, chain, abc, reads, ends, context):
    model = make_table(chain.p + 0.01, context=context, reads=reads)
    scores = score_items(model, abc, ITEMS, ends=ends)
    assert [score.text for score in scores] == ITEMS
    for text, score in zip(ITEMS, scores, strict=True):
        nats = -np.log(model.p_along(abc.encode(text).tolist() + [0] * ends))
        assert score.targets == len(nats) == len(score.per_character)
        assert "".join(label for label, _ in score.per_character) == text + "." * ends
        np.testing.assert_allclose([one for _, one in score.per_character], nats, rtol=1e-12)
        assert score.nats == pytest.approx(nats.sum())
        assert score.nats_per_character == pytest.approx(nats.mean() if len(nats) else 0.0)


@pytest.mark.parametrize("ends", [True, False])
def test_the_sum_is_the_models_loss_on_the_same_items(ends):
    items = ["anna", "ben", "bea", "abebe"]
    vocabulary = Vocabulary.of(items)
    encoded = vocabulary.encode_items(items, ends=ends)
    V = vocabulary.size
    for model in (
        Bigram(BigramConfig(vocabulary_size=V), rng=seeded()),
        MLP(MLPConfig(vocabulary_size=V, context=3, embedding=4, hidden=(8,)), rng=seeded()),
        NGram(NGramConfig(vocabulary_size=V, order=3)).fit(encoded),
        NGram(NGramConfig(vocabulary_size=V, order=3, smoothing="add-k", k=0.5)).fit(encoded),
    ):
        (batch,) = Windows(encoded, model.context).chunks(10**6)
        mean = float(np.mean(model.nll(batch.x, batch.y), dtype=np.float64))
        scores = score_items(model, vocabulary, items, ends=ends)
        assert sum(score.targets for score in scores) == encoded.targets
        assert sum(score.nats for score in scores) / encoded.targets == pytest.approx(mean, rel=1e-7)


def test_a_model_that_looks_back_nowhere(abc):
    encoded = abc.encode_items(["aab", "ca"])
    unigram = NGram(NGramConfig(vocabulary_size=4, order=1, smoothing="add-k", k=0)).fit(encoded)
    (score,) = score_items(unigram, abc, ["ab"])
    # 3 of 7 are a, 1 is b, 2 are ends
    np.testing.assert_allclose([nats for _, nats in score.per_character], np.log([7 / 3, 7, 7 / 2]))


def test_many_targets_go_through_a_part_at_a_time(chain, abc):
    scores = score_items(chain, abc, ["ccc"] * 3000)
    assert [len(x) for x in chain.asked] == [4096, 4096, 3808]
    assert len({score.per_character for score in scores}) == 1


def test_long_sequences_go_through_fewer_at_a_time(make_table, abc):
    model = make_table(np.ones((4, 4)), context=1024, reads="sequences")
    score_items(model, abc, ["a" * 1024] * 300)
    assert max(len(x) for x in model.asked) == 256


def test_what_was_never_counted_costs_everything_and_comes_first(abc):
    encoded = abc.encode_items(["ab", "ab", "ac"])
    model = NGram(NGramConfig(vocabulary_size=4, order=2, smoothing="add-k", k=0)).fit(encoded)
    scores = score_items(model, abc, ["ab", "ba", "ac", "cc"])
    assert [score.nats for score in scores] == pytest.approx([-math.log(2 / 3), math.inf, -math.log(1 / 3), math.inf])
    assert [score.text for score in order(scores)] == ["ba", "cc", "ac", "ab"]
    assert order(scores)[0].nats_per_character == math.inf
    assert scores[0].per_character[0] == ("a", 0.0)


def test_orders():
    def score(text: str, nats: float) -> Score:
        return Score(text=text, nats=nats, targets=len(text), per_character=())

    scores = [score("aaaa", 8.0), score("b", 3.0), score("cc", 4.0), score("d", 1.0)]
    assert [s.text for s in order(scores)] == ["b", "aaaa", "cc", "d"]  # by nats a character; equals as in the file
    assert [s.text for s in order(scores, "typical")] == ["d", "aaaa", "cc", "b"]
    assert order(scores, "file") == scores
    with pytest.raises(ConfigError, match="'best'"):
        order(scores, "best")


def test_labels_are_visible(make_table):
    vocabulary = Vocabulary.of(["a. b"])
    model = make_table(np.ones((5, 5)))
    (score,) = score_items(model, vocabulary, ["a. b"])
    labels = [label for label, _ in score.per_character]
    assert labels == [vocabulary.label(i) for i in [*vocabulary.encode("a. b").tolist(), 0]]
    assert labels[1] == "."
    assert labels[-1] != "."


def test_an_item_with_an_unknown_character_costs_everything_and_the_others_what_they_do(chain, abc):
    unknown, known = "xb\n", ["ab", "c"]
    scores = score_items(chain, abc, [known[0], unknown, known[1], "é"])
    assert [scores[0], scores[2]] == score_items(chain, abc, known)
    assert [scores[1].nats, scores[3].nats] == [math.inf, math.inf]
    assert [score.unknown for score in scores] == ["", "\nx", "", "é"]
    labels, nats = zip(*scores[1].per_character, strict=True)
    assert labels == ("x", "b", "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}", ".")
    assert nats[0] == nats[2] == math.inf
    assert math.isnan(nats[1])
    assert math.isnan(nats[3])
    assert {score.text for score in order(scores) if math.isinf(score.nats)} >= {unknown, "é"}
    assert len(score_items(chain, abc, ["é"], ends=False)[0].per_character) == 1


@pytest.mark.parametrize("items", [["ab", 3], [None], [b"ab"]])
def test_what_is_scored_must_be_strings(chain, abc, items):
    with pytest.raises(DataError, match="must be strings; got"):
        score_items(chain, abc, items)


def test_nothing_to_score(chain, abc):
    with pytest.raises(DataError, match="got none"):
        score_items(chain, abc, [])
    with pytest.raises(DataError, match="target"):
        score_items(chain, abc, [""], ends=False)


def test_a_diverged_model_is_named(make_table, abc):
    with pytest.raises(DomainError, match="diverged"):
        score_items(make_table(np.full((4, 4), np.nan)), abc, ["ab"])


def test_a_vocabulary_of_another_model(chain):
    with pytest.raises(VocabularyError, match="of 4 ids; got one of 3"):
        score_items(chain, Vocabulary("ab"), ["ab"])
