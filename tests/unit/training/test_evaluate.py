"""The loss of a split is the mean over its targets, however it is cut into batches."""

import math
from itertools import pairwise

import numpy as np
import pytest

from backlight.core import IntArray
from backlight.models import GPT, MLP, GPTConfig, LanguageModel, MLPConfig, WaveNet, WaveNetConfig
from backlight.nn import update_bn
from backlight.text import Vocabulary
from backlight.training import bits, dataset, evaluate, mean_nll

ITEMS = ["anna", "bo", "carla", "d", "emilia", "fritz"] * 7
VOCABULARY = Vocabulary.of(ITEMS)


@pytest.fixture
def model(rng: np.random.Generator) -> MLP:
    return MLP(MLPConfig(vocabulary_size=VOCABULARY.size, context=3, embedding=2, hidden=(5,)), rng=rng)


class Chain:
    """A model of sequences that is sure of nothing but its last character: p = 1/2 for each of the first two ids."""

    context = 4
    vocabulary_size = VOCABULARY.size
    reads = "sequences"

    def nll(self, x_BT: IntArray, y_BT: IntArray) -> np.ndarray:
        return np.where(y_BT >= 0, (x_BT * 31 + y_BT * 7) % 11 / 4, 0.0)


def slow(model: MLP, items: list[str], *, ends: bool) -> float:
    """Return the mean of -log p, one target at a time."""
    nats = []
    for item in items:
        ids = [*VOCABULARY.encode(item), *([0] if ends else [])]
        window = [0] * model.context
        for target in ids:
            (nat,) = model.nll(np.array([window]), np.array([target]))
            nats.append(float(nat))
            window = [*window[1:], int(target)]
    return math.fsum(nats) / len(nats)


@pytest.mark.parametrize("chunk", [1, 5, 10_000])
@pytest.mark.parametrize("ends", [True, False])
def test_windows_are_judged_as_by_a_slow_loop(
    model: MLP, monkeypatch: pytest.MonkeyPatch, chunk: int, *, ends: bool
) -> None:
    monkeypatch.setattr(evaluate, "BATCH_TARGETS", chunk)
    data = dataset(model, VOCABULARY, ITEMS, ends=ends)
    assert mean_nll(model, data) == pytest.approx(slow(model, ITEMS, ends=ends), rel=1e-6)


@pytest.mark.parametrize("chunk", [1, 9, 10_000])
def test_sequences_count_each_target_once(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(evaluate, "BATCH_TARGETS", chunk)
    model: LanguageModel = Chain()  # type: ignore[assignment]
    data = dataset(model, VOCABULARY, ITEMS, ends=True)
    nats = []
    for item in ITEMS:
        ids = [0, *map(int, VOCABULARY.encode(item)), 0]
        nats += [(before * 31 + after * 7) % 11 / 4 for before, after in pairwise(ids)]
    assert len(nats) == data.targets
    assert mean_nll(model, data) == pytest.approx(math.fsum(nats) / len(nats), rel=1e-12)


NETWORKS = {
    "mlp": lambda V, rng: MLP(MLPConfig(vocabulary_size=V, context=3, embedding=2, hidden=(5,)), rng=rng),
    "batch norm": lambda V, rng: MLP(MLPConfig(vocabulary_size=V, context=3, hidden=(5,), batch_norm=True), rng=rng),
    "wavenet": lambda V, rng: WaveNet(WaveNetConfig(vocabulary_size=V, context=4, embedding=2, hidden=5), rng=rng),
    "gpt": lambda V, rng: GPT(GPTConfig(vocabulary_size=V, context=5, n_embd=4, n_layer=2, n_head=2), rng=rng),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("ends", [True, False])
def test_kernels_judge_as_numpy_does(
    name: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, *, ends: bool
) -> None:
    monkeypatch.setattr(evaluate, "BATCH_TARGETS", 20)
    model = NETWORKS[name](VOCABULARY.size, rng)
    data = dataset(model, VOCABULARY, ITEMS if ends else ["".join(ITEMS)], ends=ends)
    update_bn(model, data.batch(np.arange(20)).x)
    model.eval()
    whole = data.batch(np.arange(len(data)))
    plain = model.nll(whole.x, whole.y).sum(dtype=np.float64) / data.targets
    before = model.state_dict()
    assert mean_nll(model, data) == pytest.approx(plain, rel=1e-6)
    assert all((array == before[part]).all() for part, array in model.state_dict().items())


def test_whole_batches_of_any_size_are_judged(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of text has no padding but at its end, and its last chunk may be of any size."""
    monkeypatch.setattr(evaluate, "BATCH_TARGETS", 40)
    model = GPT(GPTConfig(vocabulary_size=VOCABULARY.size, context=5, n_embd=8, n_layer=1, n_head=2), rng=rng).eval()
    for rows in (24, 25, 28):  # 40 targets at a time: 8 rows, and none, 1 or 4 at the end
        data = dataset(model, VOCABULARY, ["".join(ITEMS * 3)[: 5 * rows]], ends=False)
        assert len(data) == rows
        batches = list(data.chunks(3))
        nats = sum(float(model.nll(batch.x, batch.y).sum(dtype=np.float64)) for batch in batches)
        assert mean_nll(model, data) == pytest.approx(nats / data.targets, rel=1e-6)


def test_a_network_in_training_mode_is_judged_with_what_it_drops(rng: np.random.Generator) -> None:
    model = GPT(GPTConfig(vocabulary_size=VOCABULARY.size, context=5, n_embd=4, n_head=2, dropout=0.5), rng=rng)
    data = dataset(model, VOCABULARY, ITEMS * 30, ends=True)
    assert mean_nll(model, data) != mean_nll(model, data)
    model.eval()
    assert mean_nll(model, data) == mean_nll(model, data)


def test_a_part_is_judged_by_evenly_spaced_targets(model: MLP) -> None:
    data = dataset(model, VOCABULARY, ITEMS * 20, ends=True)
    whole = mean_nll(model, data)
    assert mean_nll(model, data, at_most=data.targets) == whole
    rows = np.linspace(0, len(data) - 1, 500).astype(np.int64)
    batch = data.batch(rows)
    assert mean_nll(model, data, at_most=500) == pytest.approx(float(model.nll(batch.x, batch.y).mean()))
    assert mean_nll(model, data, at_most=500) == pytest.approx(whole, abs=0.05)
    assert mean_nll(model, data, at_most=1) > 0


def test_a_nat_is_1_4427_bits() -> None:
    assert bits(1.0) == pytest.approx(1.4426950408889634)
    assert bits(math.log(2)) == 1
