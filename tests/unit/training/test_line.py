"""What is recorded of one line of text at each evaluation: the network's own numbers, and the same after a resume."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backlight.core import ConfigError, VocabularyError
from backlight.models.gpt import attention_weights
from backlight.runs.store import HEALTH
from backlight.sample import score_items
from backlight.training import Run, RunConfig
from backlight.training.line import LONGEST
from backlight.training.run_watcher import load_measurements
from backlight.watch.records import Measurements, TextRecord
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


def test_a_stream_of_version_2_can_be_read(tmp_path: Path) -> None:
    run = run_of("mlp", tmp_path / "run")
    run.train()
    lines = (tmp_path / "run" / HEALTH).read_bytes().replace(b'"schema":4', b'"schema":2').splitlines(keepends=True)
    seen = parse(b"".join(line for line in lines if b'"type":"text"' not in line), "it")
    assert (seen.texts, len(seen.evaluations)) == ((), 3)
