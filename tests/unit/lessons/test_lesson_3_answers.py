"""Lesson 3's exercises: answers as learners write them, right in other styles, and wrong."""

# ruff: noqa: ARG001, N812  (wrong answers leave out what they should use; F is the field's name)

import numpy as np
import pytest
from tests.unit.lessons.answers import graded

import backlight.torchlike as torch
import backlight.torchlike.nn.functional as F
from backlight.lessons.exercises import given
from backlight.models import NGram, NGramConfig
from backlight.text import Vocabulary, load_corpus, split_corpus


@pytest.fixture(scope="module")
def encoded():
    corpus = load_corpus("names")
    parts = split_corpus(corpus, seed=42)
    vocabulary = Vocabulary.of(corpus.items)
    return {name: vocabulary.encode_items(getattr(parts, name).items) for name in ("train", "dev", "test")}


def counted(items, order, k=0.1):
    return NGram(NGramConfig(vocabulary_size=27, order=order, smoothing="add-k", k=k)).fit(items)


# -- 3.1 ---------------------------------------------------------------------------------------------------------------


def test_a_model_below_the_bound_in_other_styles(encoded):
    model = NGram(NGramConfig(vocabulary_size=27, order=4, smoothing="kneser-ney")).fit(encoded["train"])

    def by_rows(ctx):
        return [model.next_logits(row[None, -3:])[0].tolist() for row in ctx]

    def as_tensor(contexts):
        X = torch.tensor(contexts)[:, -3:]
        return torch.tensor(model.next_logits(X.numpy()), requires_grad=True)

    def in_place(contexts):
        contexts[:, :-3] = 0
        return model.next_logits(contexts[:, -3:]) + 5.0  # a constant that softmax does not see

    for answer in (as_tensor, in_place):
        assert graded("3.1", answer).right
    assert by_rows(given("3.1")["contexts"][:3])
    assert graded("3.1", lambda contexts: model.next_logits(contexts[:, -3:]).astype(np.float32)).right


def test_counts_are_not_a_network(encoded):
    model = counted(encoded["train"], 4)
    assert graded("3.1", lambda contexts: model.next_logits(contexts[:, -3:])).mistake == "a counted n-gram model"


def test_a_model_above_the_bound_is_told_its_loss(encoded):
    model = counted(encoded["train"], 3)
    verdict = graded("3.1", lambda contexts: model.next_logits(contexts[:, -2:]))
    assert verdict.mistake is None
    assert "Your loss on dev is 2.23" in " ".join(verdict.lines)


def test_wrong_models_by_name(encoded):
    bigram, heart = counted(encoded["train"], 2), counted(encoded["train"], 6, 1e-4)
    cheat = counted(encoded["dev"], 6, 1e-3)
    good = counted(encoded["train"], 4)

    def probabilities(contexts):
        return F.softmax(torch.tensor(good.next_logits(contexts[:, -3:])), dim=1)

    def normed_by_the_batch(contexts):
        logits = good.next_logits(contexts[:, -3:])
        return (logits - logits.mean(0)) / logits.std(0)

    def held_the_target(contexts):
        logits = np.zeros((len(contexts), 27))
        logits[np.arange(len(contexts)), contexts[:, -1]] = 12
        return logits

    assert graded("3.1", lambda contexts: bigram.next_logits(contexts[:, -1:])).mistake == "one character only"
    assert graded("3.1", lambda contexts: heart.next_logits(contexts[:, -5:])).mistake == "evaluated on train"
    assert graded("3.1", lambda contexts: cheat.next_logits(contexts[:, -5:])).mistake == "trained on dev"
    assert graded("3.1", probabilities).mistake == "probabilities, not logits"
    assert graded("3.1", normed_by_the_batch).mistake == "a row depends on the other rows"
    assert graded("3.1", held_the_target).mistake == "a context that contains the target"
    assert graded("3.1", lambda contexts: good.next_logits(contexts[:, :3])).mistake == "the wrong end of the context"


def test_models_that_cannot_be_judged():
    verdict = graded("3.1", lambda contexts: np.zeros((len(contexts), 26)))
    assert (verdict.state, verdict.mistake) == ("shape", "wrong shape")
    nan = graded("3.1", lambda contexts: np.full((len(contexts), 27), np.nan))
    assert "Whether all are finite: no; it should be yes." in " ".join(nan.lines)
    assert "pass the function next_logits" in graded("3.1", np.zeros((5, 27))).lines[0].lower()


# -- 3.2 ---------------------------------------------------------------------------------------------------------------


def start(V, T, E, H, seed, *, first=5 / 3, last=0.01, b2=0.0):
    g = torch.Generator().manual_seed(seed)
    C = torch.randn((V, E), generator=g, requires_grad=True)
    W1 = torch.randn((T * E, H), generator=g) * first / (T * E) ** 0.5
    b1 = torch.randn(H, generator=g) * 0.01
    W2 = torch.randn((H, V), generator=g) * last
    return [C, W1, b1, W2, torch.randn(V, generator=g) * b2]


def test_first_weights_in_other_styles():
    def uniform(V, T, E, H, seed):
        rng = np.random.default_rng(seed)
        W1 = rng.uniform(-1, 1, (T * E, H)) * (3 / (T * E)) ** 0.5
        return rng.standard_normal((V, E)), W1, np.zeros(H), rng.uniform(-0.01, 0.01, (H, V)), np.full(V, 3.0)

    assert graded("3.2", start).right
    assert graded("3.2", uniform).right
    assert graded("3.2", lambda *sizes: [one.detach().numpy().tolist() for one in start(*sizes)]).right


@pytest.mark.parametrize(
    ("settings", "mistake"),
    [
        ({"last": 1.0}, "W2 is not scaled"),
        ({"last": 0.1}, "1 / sqrt(fan-in) for the last layer, too"),
        ({"last": 0.0}, "W2 is all zero"),
        ({"b2": 1.0}, "b2 is not scaled"),
        ({"first": 8.0}, "W1 is too large"),
        ({"first": 0.0}, "hidden units that are always 0"),
    ],
)
def test_wrong_first_weights_by_name(settings, mistake):
    assert graded("3.2", lambda **case: start(**case, **settings)).mistake == mistake


def test_all_the_same_and_shapes():
    def constant(V, T, E, H, seed):
        C, *rest = start(V, T, E, H, seed)
        return [C, *(torch.ones_like(one) * 0.02 for one in rest)]

    assert graded("3.2", constant).mistake == "all weights the same"
    four = graded("3.2", lambda **case: start(**case)[:4])
    assert four.lines[0] == "How many arrays there are: 4; it should be 5."
    swapped = graded("3.2", lambda **case: [one.T if one.ndim == 2 else one for one in start(**case)])
    assert "The shape of C is (10, 27); it should be (27, 10)." in swapped.lines


# -- 3.3 ---------------------------------------------------------------------------------------------------------------


def test_direct_connections_in_other_styles():
    def by_tensors(X, C, H, d, U, W, b):
        X, C, H, d, U, W, b = (torch.tensor(one) for one in (X, C, H, d, U, W, b))
        x = C[X].view(X.shape[0], -1)
        return b + x @ W + torch.tanh(d + x @ H) @ U

    def as_the_paper(X, C, H, d, U, W, b):
        rows = []
        for context in X:
            x = np.concatenate([C[i] for i in context])
            rows.append(b + W.T @ x + U.T @ np.tanh(d + H.T @ x))
        return rows

    assert graded("3.3", by_tensors).right
    assert graded("3.3", as_the_paper).right


def test_wrong_direct_connections_by_name():
    def x_of(X, C):
        return C[X].reshape(len(X), -1)

    def without(X, C, H, d, U, W, b):
        return b + np.tanh(d + x_of(X, C) @ H) @ U

    def columns(X, C, H, d, U, W, b):
        x = x_of(X, C).T
        return (b[:, None] + W @ x + U @ np.tanh(d[:, None] + H @ x)).T

    def bias_outside(X, C, H, d, U, W, b):
        x = x_of(X, C)
        return b + x @ W + (d + np.tanh(x @ H)) @ U

    def by_axes(X, C, H, d, U, W, b):
        x = np.concatenate([C[X][:, :, e] for e in range(C.shape[1])], axis=1)
        return b + x @ W + np.tanh(d + x @ H) @ U

    def all_squashed(X, C, H, d, U, W, b):
        x = x_of(X, C)
        return np.tanh(b + x @ W + np.tanh(d + x @ H) @ U)

    assert graded("3.3", without).mistake == "no direct connection"
    assert graded("3.3", columns).mistake == "transposed product"
    assert graded("3.3", bias_outside).mistake == "d outside the tanh"
    assert graded("3.3", by_axes).mistake == "joined by axes, not by characters"
    assert graded("3.3", all_squashed).mistake == "tanh around everything"
    assert graded("3.3", lambda **case: columns(**case).T).state == "shape"


# -- 3.4 ---------------------------------------------------------------------------------------------------------------


def write(next_logits, draw, block_size, count, *, fresh=True, moves=True, keeps=False, soft=True):
    out, context = [], [0] * block_size
    while len(out) < count:
        name = []
        if fresh:
            context = [0] * block_size
        while True:
            logits = torch.tensor(next_logits(torch.tensor([context])))
            ix = draw(F.softmax(logits, dim=1) if soft else logits)
            if moves:
                context = context[1:] + [ix]  # noqa: RUF005
            if ix != 0 or keeps:
                name.append(ix)
            if ix == 0:
                break
        out.append(name)
    return out


def test_names_in_other_styles():
    assert graded("3.4", write).right
    assert graded("3.4", lambda **case: np.array(write(**case), dtype=object)).right


@pytest.mark.parametrize(
    ("settings", "mistake"),
    [
        ({"fresh": False}, "the context is not reset"),
        ({"moves": False}, "the window does not move"),
        ({"keeps": True}, "the end is kept"),
        ({"soft": False}, "no softmax"),
    ],
)
def test_wrong_names_by_name(settings, mistake):
    assert graded("3.4", lambda **case: write(**case, **settings)).mistake == mistake


def test_names_without_an_end():
    def endless(next_logits, draw, block_size, count):
        while True:
            next_logits(np.zeros((1, block_size), int))

    verdict = graded("3.4", endless)
    assert verdict.state == "error"
    assert "the names did not end" in verdict.lines[0]
