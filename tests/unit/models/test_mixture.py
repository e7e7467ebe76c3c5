"""A network mixed with n-gram counts, against the formula and against PyTorch in float64."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import backlight
from backlight.core import NOT_A_TARGET, Batch, RunError
from backlight.models import Mixture, model_spec
from backlight.models._mixing import HALVES, PRIOR, fit_weights
from backlight.models._ngram_counts import UNKNOWN
from backlight.models.mixture import BUCKETS
from backlight.runs.tensors import decode_file, encode
from backlight.sample import SampleConfig, sample_batch, score_items
from backlight.text import Sequences, Vocabulary, Windows
from backlight.training import Run, RunConfig

ITEMS = [
    "anna", "annabel", "bella", "isabella", "ella", "elisa", "lisa", "elena", "lena", "helena", "hannah", "johanna",
    "susanna", "santana", "montana", "banana", "bananas", "nan", "nana", "b", "banal", "canal", "cabana", "savannah",
]  # fmt: skip
SMALL: dict[str, dict[str, Any]] = {
    "mlp+ngram": {"context": 3, "hidden": [8], "embedding": 4, "order": 5},
    "wavenet+ngram": {"context": 8, "hidden": 6, "embedding": 4, "order": 4},
    "gru+ngram": {"context": 5, "hidden": [7], "embedding": 4, "order": 4},
    "gpt+ngram": {"context": 4, "n_embd": 8, "n_head": 2, "n_layer": 1, "order": 6},
}
VOCABULARY = Vocabulary.of(ITEMS)


def mixture(name: str) -> Mixture:
    spec = model_spec(name)
    made = spec.build(
        spec.configure({**SMALL[name], "vocabulary_size": VOCABULARY.size}), np.random.default_rng(3)
    )  # fmt: skip
    assert isinstance(made, Mixture)
    for parameter in made.network.parameters():  # large weights, so that the network says something
        parameter.array[...] *= 3
    made.network.eval()
    made.count(VOCABULARY.encode_items(ITEMS[::2]))
    rng = np.random.default_rng(4)
    made.weights_K2 = rng.uniform(0.2, 0.9, (BUCKETS, 2))
    return made


@pytest.mark.parametrize("name", SMALL)
def test_it_is_the_weighted_geometric_mean(name: str) -> None:
    """Of the network's and the n-gram's own probabilities, with the weights of the context's bucket."""
    made = mixture(name)
    n = made.ngram.context
    item = "bananas"
    ids = VOCABULARY.encode(item)
    start = made.context if made.reads == "windows" else 1
    x = np.concatenate([np.zeros(start, np.int64), ids])[None, :]
    row = x[:, len(x[0]) - made.context :]
    padded = np.concatenate([np.zeros(n, np.int64), ids])
    p1 = torch.softmax(torch.tensor(made.network.next_logits(row[:, -made.network.context :])).double(), -1)
    p2 = torch.softmax(torch.tensor(made.ngram.next_logits(padded[None, len(padded) - n :])), -1)
    if made.reads == "sequences" and made.context < n:  # a longer context than the network's is unknown
        known = np.concatenate([np.full(n - made.context, UNKNOWN), row[0]])
        p2 = torch.tensor(np.exp(made.ngram.log_probabilities(known[None])[0]))
    text = item[len(item) - n :]
    occurrences = sum(one[i : i + n] == text for one in ITEMS[::2] for i in range(len(one)))
    bucket = min(occurrences.bit_length(), BUCKETS - 1) if made.context >= n else 0
    a, b = made.weights_K2[bucket]
    expected = p1**a * p2**b
    got = torch.softmax(torch.tensor(made.next_logits(row)), -1)
    assert_allclose(got.numpy(), (expected / expected.sum()).numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", SMALL)
def test_the_score_is_the_next_logits(name: str) -> None:
    made = mixture(name)
    encoded = VOCABULARY.encode_items([one for one in ITEMS if len(one) < 4])
    kind = Windows if made.reads == "windows" else Sequences
    for batch in kind(encoded, made.context).chunks(5):
        nats = made.nll(batch.x, batch.y)
        assert nats.shape == batch.y.shape
        for row, (x, y) in enumerate(zip(batch.x, batch.y, strict=True)):
            if made.reads == "windows":
                targets = [(x, int(y), nats[row])]
            else:
                targets = [(x[: t + 1], int(one), nats[row, t]) for t, one in enumerate(y)]
            for context, target, found in targets:
                if target == NOT_A_TARGET:
                    assert found == 0
                    continue
                log_p = torch.log_softmax(torch.tensor(made.next_logits(context[None])), -1)
                assert found == pytest.approx(-float(log_p[0, target]), rel=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_what_is_sampled_costs_what_it_scores(name: str) -> None:
    made = mixture(name)
    rng = np.random.default_rng(1)
    drawn = sample_batch(made, VOCABULARY, 200, config=SampleConfig(max_length=30), rng=rng)
    # a longer item is read in chunks by a model of sequences, and at once by its decoder
    short = [one for one in drawn if one.ended and (made.reads == "windows" or len(one.text) < made.context)]
    assert len(short) > 20
    scores = score_items(made, VOCABULARY, [one.text for one in short])
    assert_allclose([one.nats for one in short], [one.nats for one in scores], rtol=1e-5)


def test_an_unknown_id_backs_off() -> None:
    ngram = mixture("gru+ngram").ngram
    unseen = VOCABULARY.encode("vvs")  # no item has "vs" or "vvs": only what follows an s is used
    unknown = np.array([[UNKNOWN, UNKNOWN, unseen[-1]]])
    known, occurrences = ngram.log_probabilities(unseen[None])
    assert_array_equal(ngram.log_probabilities(unknown)[0], known)
    assert occurrences == 0


def test_the_weights_have_the_lowest_loss() -> None:
    """PyTorch's gradient of the penalised loss vanishes at the weights of each bucket."""
    rng = np.random.default_rng(0)
    N, V, K = 400, 6, 3
    first, second = (np.log(rng.dirichlet(np.ones(V), N)) for _ in range(2))
    y, bucket = rng.integers(0, V, N), rng.integers(0, 2, N)  # the last bucket is empty
    weights = fit_weights(first, second, y, bucket, buckets=K)

    def gradient(of: np.ndarray, w: np.ndarray, center: np.ndarray) -> np.ndarray:
        at = torch.tensor(w, requires_grad=True)
        logits = at[0] * torch.tensor(first[of]) + at[1] * torch.tensor(second[of])
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(y[of]), reduction="sum")
        (loss + PRIOR / 2 * ((at - torch.tensor(center)) ** 2).sum()).backward()
        return at.grad.numpy()

    of_all = weights[2]
    assert_allclose(gradient(np.ones(N, bool), of_all, np.array(HALVES)), 0, atol=1e-6)
    for k in range(2):
        assert_allclose(gradient(bucket == k, weights[k], of_all), 0, atol=1e-6)
    assert not np.allclose(weights[0], weights[1])


def test_arrays_restore_every_bit() -> None:
    made, other = mixture("wavenet+ngram"), mixture("wavenet+ngram")
    made.network.embedding.weight.array[...] += 1
    made.weights_K2[3] = 0.25
    x = np.random.default_rng(0).integers(0, VOCABULARY.size, (9, made.context))
    assert not np.array_equal(other.next_logits(x), made.next_logits(x))
    arrays, _ = decode_file(encode(made.state_dict(), {}), "a file", remedy="")
    other.load_state_dict(arrays)
    assert_array_equal(other.next_logits(x), made.next_logits(x))
    assert_allclose(made.folded().next_logits(x), made.next_logits(x), atol=1e-5)
    with pytest.raises(RunError, match=r"mixture\.weights must be finite"):
        other.load_state_dict({**arrays, "mixture.weights": np.ones((2, 2))})


@pytest.fixture
def text(tmp_path: Path) -> Callable[[], Path]:
    rng = np.random.default_rng(0)

    def write() -> Path:
        path = tmp_path / "words.txt"
        words = ["".join(rng.permutation(ITEMS)[0] for _ in range(2)) for _ in range(400)]
        path.write_text("\n".join(words))
        return path

    return write


SHORT: dict[str, Any] = {"steps": 240, "eval_interval": 120, "hidden": (16,), "order": 4}


def test_a_run_of_a_mixture(text: Callable[[], Path], tmp_path: Path) -> None:
    """The loss is below that of each part, and is the same after loading and saving."""
    words = text()
    model = backlight.train(words, model="mlp+ngram", run=tmp_path / "run", **SHORT)
    result = model.result
    assert result is not None
    counted = backlight.train(words, model="ngram", order=4).result
    alone = backlight.train(words, model="mlp", **{key: SHORT[key] for key in ("steps", "eval_interval", "hidden")})
    assert alone.result is not None
    assert counted is not None
    assert result["network_dev_nats"] == alone.result["dev_nats"]
    assert result["dev_nats"] < min(counted["dev_nats"], alone.result["dev_nats"]) - 0.005
    assert result["test_nats"] < min(counted["test_nats"], alone.result["test_nats"])
    model.save(tmp_path / "saved")
    given = model.sample(5, seed=1)
    for other in (backlight.load(tmp_path / "run"), backlight.load(tmp_path / "saved")):
        assert other.sample(5, seed=1) == given
        assert_array_equal(other.score(given), model.score(given))
    assert Run.open(tmp_path / "run").first_loss().array > 1


def test_a_stopped_run_of_a_mixture_is_usable_and_ends_as_if_it_was_not(
    text: Callable[[], Path], tmp_path: Path
) -> None:
    words = str(text())
    whole = Run.create(RunConfig.of(words, model="gru+ngram", context=8, **SHORT), tmp_path / "whole")
    assert whole.train()
    run = Run.create(RunConfig.of(words, model="gru+ngram", context=8, **SHORT), tmp_path / "run")
    assert not run.train(lambda trainer: setattr(trainer, "on_evaluation", lambda e: e.step and trainer.request_stop()))
    assert len(backlight.load(tmp_path / "run").sample(3)) == 3
    again = Run.open(tmp_path / "run")
    assert again.train()
    ours, theirs = again.result, whole.result
    assert ours is not None
    assert theirs is not None
    assert {**ours, "run": 0, "seconds": 0} == {**theirs, "run": 0, "seconds": 0}


def test_the_fit_needs_only_targets() -> None:
    """Padding of a batch of sequences does not change the weights."""
    made = mixture("gpt+ngram")
    batch = next(iter(Sequences(VOCABULARY.encode_items(ITEMS[1::2]), made.context).chunks(100)))
    made.fit_weights(batch)
    longer = [np.pad(array, ((0, 3), (0, 0)), constant_values=fill) for array, fill in ((batch.x, 0), (batch.y, -1))]
    other = mixture("gpt+ngram")
    other.fit_weights(Batch(*longer))
    assert_allclose(other.weights_K2, made.weights_K2, rtol=1e-6)
