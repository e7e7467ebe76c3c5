"""What is recorded of one line of text at each evaluation: the network's own numbers, and the same after a resume."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backlight.core import ConfigError, FloatArray, VocabularyError
from backlight.models.gpt import attention_weights
from backlight.runs.store import HEALTH
from backlight.sample import score_items
from backlight.training import Run, RunConfig, line_pairs, line_units, trainer
from backlight.training.line import LONGEST
from backlight.training.run_watcher import load_measurements
from backlight.watch.records import Measurements, TextRecord, UnitsRecord
from backlight.watch.stream import records_of
from backlight.watch.stream_reader import parse

SIZES: dict[str, dict[str, Any]] = {
    "bigram": {},
    "mlp": {"hidden": (8,), "embedding": 3, "context": 3},
    "gru": {"hidden": (8,), "embedding": 3, "context": 9},
    "gpt": {"n_embd": 8, "n_head": 2, "n_layer": 2, "context": 9},
}
OPTIONS = {"steps": 6, "batch_size": 8, "eval_interval": 3, "watch_every": 2}


def run_of(model: str, path: Path | None = None, **more: Any) -> Run:
    return Run.create(RunConfig.of("names", model=model, **OPTIONS, **SIZES[model], **more), path)


def texts_of(run: Run) -> tuple[TextRecord, ...]:
    seen = load_measurements(run.store)
    assert isinstance(seen, Measurements)
    return seen.texts


@pytest.mark.parametrize("model", SIZES)
def test_the_record_has_the_networks_own_numbers(model: str) -> None:
    run = run_of(model, line="emmanuel")
    run.train()
    first, *_, last = texts_of(run)
    assert (first.step, last.step, len(texts_of(run))) == (0, 6, 3)
    assert "".join(last.read) == ".emmanuel"
    assert "".join(last.targets) == "emmanuel."
    assert run.load_weights()["step"] == 6, "the weights of the last evaluation are the best"
    network = run.network
    (score,) = score_items(network, run.vocabulary, ["emmanuel"])
    np.testing.assert_allclose(last.nats, [nats for _, nats in score.per_character], atol=1e-4)
    if model == "gpt":
        x = np.array([[0, *run.vocabulary.encode("emmanuel")]])
        for layer, expected in zip(last.attention, attention_weights(network, x), strict=True):
            found = np.frombuffer(bytes.fromhex(layer.weights), np.uint8).reshape(layer.heads, -1) / 255
            np.testing.assert_allclose(found, expected[:, *np.tril_indices(9)], atol=0.5 / 255 + 1e-6)
    else:
        assert last.attention == ()
    embedding = last.embedding
    assert embedding is not None
    table = next(iter(network.state_dict().values()))
    ids = [*dict.fromkeys([*run.vocabulary.encode("emmanuel").tolist(), *range(27)])]
    assert embedding.tokens == tuple(run.vocabulary.label(one) for one in ids)
    values = np.frombuffer(bytes.fromhex(embedding.values), np.uint8).astype(float).reshape(27, embedding.width)
    np.testing.assert_allclose((values - 128) / 127 * embedding.scale, table[ids], atol=0.51 / 127 * embedding.scale)


def test_without_a_line_it_is_a_held_out_item_and_a_long_one_is_cut() -> None:
    run = run_of("bigram")
    run.train()
    assert "".join(texts_of(run)[0].targets) == run.splits.dev.items[0] + "."
    long = run_of("bigram", line="a" * 100)
    long.train()
    assert len(texts_of(long)[0].nats) == LONGEST


def test_a_line_is_refused_before_there_is_a_run(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="got 'é'"):
        run_of("mlp", tmp_path / "run", line="é")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="without watch_every"):
        RunConfig.of("names", model="mlp", line="emma")


def test_a_stream_with_texts_is_read_again_and_cut_where_a_training_goes_on(tmp_path: Path) -> None:
    whole = run_of("mlp", tmp_path / "whole", line="emma")
    whole.train()
    seen = parse((tmp_path / "whole" / HEALTH).read_bytes(), "it")
    again = [one for type_, one in records_of(seen) if type_ == "text"]
    assert again == list(seen.texts)
    stopped = run_of("mlp", tmp_path / "stopped", line="emma")

    def setup(trainer: Any) -> None:
        trainer.on_evaluation = lambda found: trainer.request_stop() if found.step == 3 else None

    assert not stopped.train(setup)
    Run.open(tmp_path / "stopped").train()
    assert (tmp_path / "stopped" / HEALTH).read_bytes() == (tmp_path / "whole" / HEALTH).read_bytes()


def numbers(coded: str, scale: float) -> FloatArray:
    return (np.frombuffer(bytes.fromhex(coded), np.uint8).astype(np.float64) - 128) / 127 * scale


def inputs_of(record: UnitsRecord) -> tuple[Any, FloatArray]:
    """Return the places and the weights of the strongest inputs, (units, inputs) each."""
    raw = np.frombuffer(bytes.fromhex(record.inputs), np.uint8).reshape(record.units, record.strongest, 4).astype(int)
    places = raw[..., 0] * 65536 + raw[..., 1] * 256 + raw[..., 2]
    return places, (raw[..., 3] - 128) / 127 * record.input_scale


def check_inputs(record: UnitsRecord, weights: FloatArray) -> None:
    """Compare the inputs of a record with all weights, (inputs, units)."""
    places, found = inputs_of(record)
    assert sum(source.count for source in record.sources) == len(weights)
    near = 0.51 / 127 * record.input_scale
    np.testing.assert_allclose(found, np.take_along_axis(weights, places.T, 0).T, atol=near)
    largest = -np.sort(-np.abs(weights), axis=0)[: record.strongest]
    np.testing.assert_allclose(np.abs(found), largest.T, atol=near)


@pytest.mark.parametrize("model", [*SIZES, "wavenet", "rnn"])
def test_units_have_the_values_and_weights_of_the_network(model: str) -> None:
    """Against products of the weights by NumPy, which know nothing of the layers that were run."""
    sizes = {"wavenet": {"hidden": 8, "embedding": 3, "context": 4}, "rnn": SIZES["gru"]}
    run = Run.create(RunConfig.of("names", model=model, line="emmanuel", **OPTIONS, **{**SIZES, **sizes}[model]))
    run.train()
    last = texts_of(run)[-1]
    run.load_weights()
    network, state = run.network, run.network.state_dict()
    ids = np.array([0, *run.vocabulary.encode("emmanuel")])
    of_tokens = [*dict.fromkeys([*ids[1:].tolist(), *range(27)])]
    windows = np.lib.stride_tricks.sliding_window_view(
        np.concatenate([np.zeros(network.context - 1, int), ids]), network.context
    )
    logits = network(ids[None] if network.reads == "sequences" else windows).array.reshape(9, -1)
    by_layer = {one.layer: one for one in last.units}
    *_, output = last.units
    assert (output.tokens, output.units, output.of) == (True, 27, 27)
    values = numbers(output.values, output.scale).reshape(9, 27)
    np.testing.assert_allclose(values, logits[:, of_tokens], atol=0.51 / 127 * output.scale)
    if model == "bigram":
        check_inputs(output, state["table.weight"][np.ix_(of_tokens, of_tokens)])
        return
    check_inputs(output, state["output.weight"][:, of_tokens])
    table = state[next(iter(state))][of_tokens]
    if model in {"mlp", "wavenet"}:
        first = by_layer["hidden.1" if model == "mlp" else "hidden.3"]
        W = state["hidden.0.weight" if model == "mlp" else "hidden.1.weight"]
        places = len(W) // 3
        assert (first.weights_of, first.sources[0].places) == ("hidden.0" if model == "mlp" else "hidden.1", places)
        check_inputs(first, np.concatenate([table @ W[3 * place : 3 * place + 3] for place in range(places)]))
    if model == "mlp":
        x = state["embedding.weight"][windows].reshape(9, -1)
        expected = np.tanh(x @ state["hidden.0.weight"] + state["hidden.0.bias"])
        found = numbers(by_layer["hidden.1"].values, by_layer["hidden.1"].scale).reshape(9, 8)
        np.testing.assert_allclose(found, expected, atol=0.51 / 127)
    if model in {"gru", "rnn"}:
        gate = slice(16, 24) if model == "gru" else slice(0, 8)
        recurrent = by_layer["layers.0"]
        W, U = (state[f"layers.0.{name}"][:, gate] for name in ("weight_ih_l0", "weight_hh_l0"))
        check_inputs(recurrent, np.concatenate([table @ W, U]))
        assert [one.before for one in recurrent.sources] == [False, True]
    if model == "gpt":
        assert list(by_layer) == ["blocks.0.mlp.1", "blocks.1.mlp.1", "output"]
        second = by_layer["blocks.1.mlp.1"]
        assert (second.weights_of, second.sources[0].layer) == ("blocks.1.mlp.0", "blocks.1.second_norm")
        check_inputs(second, state["blocks.1.mlp.0.weight"])


def test_units_are_recorded_at_a_bounded_number_of_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "UNITS_RECORDS", 3)
    run = Run.create(RunConfig.of("names", model="bigram", steps=10, batch_size=4, eval_interval=1, watch_every=5))
    run.train()
    assert [one.step for one in texts_of(run) if one.units] == [0, 4, 8, 10]
    monkeypatch.setattr(line_units, "MOST", 16)
    run = run_of("mlp")
    run.train()
    assert [(one.units, one.of) for one in texts_of(run)[-1].units] == [(8, 8), (8, 27)]


def test_a_stream_of_version_4_can_be_read(tmp_path: Path) -> None:
    run = run_of("mlp", tmp_path / "run")
    run.train()
    found = []
    for line in (tmp_path / "run" / HEALTH).read_text().splitlines():
        values = json.loads(line.replace('"schema":6', '"schema":4'))
        values.pop("units", None)
        for layer in values.get("layers", ()):
            layer.pop("code", None)
        found.append(json.dumps(values).encode() + b"\n")
    seen = parse(b"".join(found), "it")
    assert (len(seen.texts), seen.texts[0].units, {one.code for one in seen.layers}) == (3, (), {""})
    codes = {one.kind: one.code for one in load_measurements(run.store).layers}
    assert codes["Tanh"] == "backlight/nn/activations.py"


def test_a_stream_of_version_2_can_be_read(tmp_path: Path) -> None:
    run = run_of("mlp", tmp_path / "run")
    run.train()
    lines = (tmp_path / "run" / HEALTH).read_bytes().replace(b'"schema":6', b'"schema":2').splitlines(keepends=True)
    seen = parse(b"".join(line for line in lines if b'"type":"text"' not in line), "it")
    assert (seen.texts, len(seen.evaluations)) == ((), 3)


def test_the_weights_of_a_bigram_network_come_beside_the_counts() -> None:
    """They become the logs of the counts, up to a constant of each row."""
    run = run_of("bigram", lr=0.5)
    run.train()
    first, *_, last = (one.pairs for one in texts_of(run))
    text = "".join(f".{item}." for item in run.splits.train.items)
    counts = np.zeros((27, 27))
    ids = np.array([0 if one == "." else run.vocabulary.encode(one)[0] for one in text])
    np.add.at(counts, (ids[:-1], ids[1:]), 1)
    counts[0, 0] = 0  # from the end of an item to the beginning of the next
    assert first.counts == last.counts == tuple(counts.sum(1))
    assert first.tokens == tuple(map(run.vocabulary.label, range(27)))
    table = run.network.table.weight.array.astype(np.float64)
    assert run.load_weights()["step"] == 6
    expected = {"learned": table - np.log(np.exp(table).sum(1, keepdims=True)), "counted": np.full((27, 27), -np.inf)}
    seen = counts > 0
    expected["counted"][seen] = np.log((counts / counts.sum(1, keepdims=True))[seen])
    for name, values in expected.items():
        codes = np.frombuffer(bytes.fromhex(getattr(last, name)), ">u2").reshape(27, 27)
        found = np.where(codes == 65_535, -np.inf, codes / 65_534 * last.lowest)
        np.testing.assert_allclose(found, values, atol=0.51 / 65_534 * -last.lowest + 1e-6)
    other = run_of("mlp")
    other.train()
    assert {one.pairs for one in texts_of(other)} == {None}


def test_of_a_large_vocabulary_some_pairs_are_recorded_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_pairs, "MOST", 5)
    run = run_of("bigram")
    run.train()
    assert {(len(one.pairs.tokens), len(one.pairs.learned)) for one in texts_of(run)} == {(5, 100)}
    monkeypatch.setattr("backlight.training.run.MOST_COUNTED", 26)
    run = run_of("bigram")
    run.train()
    assert [one.pairs for one in texts_of(run)] == [None] * 3
