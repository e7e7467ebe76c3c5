"""Trainings on token files: engines, resumption, losses, and the presets of the lectures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backlight
from backlight.core import BacklightError, ConfigError, DataError, RunError
from backlight.models import model_spec
from backlight.models.gpt import GPT
from backlight.nn import Linear
from backlight.text.token_files.writing import EncodeConfig, encode_files
from backlight.training import EngineConfig, Run, RunConfig
from backlight.training.presets import PRESETS, preset_line, preset_named
from backlight.training.trainer import Trainer

TEXT = "".join(f"line {n} of na\u00efve text, {n * n} letters or so.\n" for n in range(120))
TINY: dict[str, Any] = {
    "n_embd": 8, "n_layer": 1, "n_head": 2, "context": 12, "dropout": 0.0, "steps": 6, "batch_size": 4,
    "eval_interval": 2, "lr": 0.01,
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tokens")
    (place / "text.txt").write_text(TEXT, encoding="utf-8")
    for name, tokens in (("characters", "characters"), ("pairs", "bpe:300")):
        (place / name).mkdir()
        encode_files([str(place / "text.txt")], place / name, EncodeConfig(tokens=tokens, val=0.3))
    (place / "theirs").mkdir()
    for part in ("train", "val"):  # without what is beside them
        (place / "theirs" / f"{part}.bin").write_bytes((place / "pairs" / f"{part}_000000.bin").read_bytes()[1024:])
    return place


def made(folder: Path, where: Path | None = None, engine: str = "native", **options: Any) -> Run:
    config = RunConfig.of(str(folder), model="gpt", **{**TINY, **options})
    return Run.create(config, where, engine=EngineConfig(engine=engine))  # type: ignore[arg-type]


def losses(run: Run) -> list[float]:
    return [record["loss"] for record in run.store.load_metrics() if "loss" in record]


def test_all_engines_read_the_same(folders: Path) -> None:
    found = {}
    for engine in ("graph", "native", "torch"):
        run = made(folders / "pairs", engine=engine)
        run.train()
        found[engine] = losses(run)
        assert len(found[engine]) == 6
    np.testing.assert_allclose(found["native"], found["graph"], rtol=1e-5)
    np.testing.assert_allclose(found["torch"], found["graph"], atol=1e-4)


def test_a_resumed_training_reads_on_where_it_stopped(folders: Path, tmp_path: Path) -> None:
    whole = made(folders / "characters", tmp_path / "whole", dropout=0.1)
    whole.train()
    begun = made(folders / "characters", tmp_path / "parts", dropout=0.1)

    def stop_after_three(trainer: Trainer) -> None:
        trainer.on_evaluation = lambda record: trainer.request_stop() if record.step == 2 else None

    assert not begun.train(stop_after_three)
    assert Run.open(tmp_path / "parts").train()
    assert losses(Run.open(tmp_path / "parts")) == losses(whole)
    a, b = (Run.open(tmp_path / name).store.load_weights()[0] for name in ("whole", "parts"))
    assert all(np.array_equal(a[name], b[name]) for name in a)


def test_each_step_reads_the_examples_whose_turn_it_is(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(folders / "characters", seed=5)
    read: list[Any] = []
    loss_of = GPT.loss_of

    def noted(self: GPT, inputs: tuple[Any, ...]) -> Any:
        read.append(inputs[0])
        return loss_of(self, inputs)

    monkeypatch.setattr(GPT, "loss_of", noted)
    run.engine = EngineConfig(engine="graph")
    run.train()
    data = run.data["train"]
    in_training = [ids for ids in read if ids.shape == (4, 12)]
    for step in range(6):
        expected = data.minibatch(step, 4, None).x  # type: ignore[arg-type]
        assert any(np.array_equal(ids, expected) for ids in in_training)
    other = made(folders / "characters", seed=6).data["train"]
    assert not np.array_equal(other.minibatch(0, 4, None).x, data.minibatch(0, 4, None).x)  # type: ignore[arg-type]


def test_losses_per_token_per_character_and_per_byte(folders: Path) -> None:
    run = made(folders / "pairs")
    result = run.train() and run.result
    assert result
    text = TEXT.encode()
    dev, test = (run.data[part] for part in ("dev", "test"))
    counts = run.config.token_counts
    assert counts is not None
    assert result["dev_nats_per_token"] * dev.targets == pytest.approx(result["dev_nats"] * dev.characters)
    in_bits = result["dev_nats_per_token"] * dev.targets / np.log(2)
    assert result["dev_bits_per_byte"] == pytest.approx(in_bits / counts["dev"][2])
    assert counts["dev"][2] > counts["dev"][1]  # a letter of two bytes
    held_out = counts["dev"][2] + counts["test"][2]
    assert 0.25 < held_out / len(text) < 0.35
    assert test.characters == counts["test"][1]


def test_a_part_of_characters_has_a_loss_per_character(folders: Path) -> None:
    run = made(folders / "characters")
    run.train()
    assert run.result is not None
    assert run.result["dev_nats_per_token"] == pytest.approx(run.result["dev_nats"])
    assert run.vocabulary.size == len(set(TEXT)) + 1
    assert run.config.tokens == "characters"


def test_files_without_a_tokenizer_have_losses_per_token(folders: Path, tmp_path: Path) -> None:
    run = made(folders / "theirs", tmp_path / "run")
    run.train()
    assert run.result is not None
    assert "dev_bits_per_byte" not in run.result
    assert run.config.tokens == "numbers"
    model = backlight.load(tmp_path / "run")
    assert all(word.isdigit() for word in model.sample(1, max_length=20, seed=1)[0].split())
    with pytest.raises(BacklightError, match="needs the tokenizer"):
        model.run.vocabulary.encode("text")
    assert "There is no tokenizer" in run.notes[0]


def test_python_trains_on_a_folder(folders: Path) -> None:
    model = backlight.train(folders / "characters", model="gpt", **TINY)
    assert model.sample(1, max_length=10, seed=1)
    again = backlight.train(folders / "characters", start=model, steps=2)
    assert again.run.config.start is not None


def test_what_token_files_are_not_for_is_refused(folders: Path) -> None:
    folder = str(folders / "characters")
    for model, says in (("mlp", "mlp reads windows"), ("ngram", "ngram counts"), ("gpt+ngram", "counts a text")):
        with pytest.raises(ConfigError, match=says.replace("+", r"\+")):
            Run.create(RunConfig.of(folder, model=model))
    for options in ({"mode": "items"}, {"format": "lines"}, {"also": ("b.txt",)}):
        with pytest.raises(ConfigError, match="token files are one folder"):
            made(folders / "characters", **options)
    with pytest.raises(ConfigError, match="have their tokens already"):
        made(folders / "characters", tokens="words")
    with pytest.raises(DataError, match="has token files"):
        backlight.train(folders / "characters", model="auto")
    other = made(folders / "pairs")
    with pytest.raises(BacklightError, match="with its own tokens"):
        Run.create(RunConfig.of(folder, model="gpt", **TINY), start=other)
    with pytest.raises(DataError, match="the text of token files is not kept"):
        _ = other.corpus


def test_files_that_have_changed_are_refused(folders: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in (folders / "characters").iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    made(copy, tmp_path / "run")
    shard = copy / "train_000000.bin"
    content = bytearray(shard.read_bytes())
    content[1100] ^= 1
    shard.write_bytes(content)
    with pytest.raises(RunError, match="token files it began with"):
        _ = Run.open(tmp_path / "run").data
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["token_counts"]["train"][0] == len(content) // 2 - 513


# -- presets -----------------------------------------------------------------------------------------------------------

SMALL = {name: TINY[name] for name in ("n_embd", "n_layer", "n_head", "context", "batch_size")}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_trains_with_tiny_sizes(name: str, folders: Path) -> None:
    preset = preset_named(name)
    folder = str(folders / "pairs")
    options = {**preset.options_for(folder), **SMALL, "steps": 2}
    run = Run.create(RunConfig.of(folder, model=preset.model, **options))
    run.train()
    assert run.result is not None
    assert run.result["steps"] == 2
    assert run.config.train is not None
    assert run.config.train.beta2 == preset.options["beta2"]


def parameters(name: str, vocabulary: int) -> int:
    """Return the number of parameters of a preset, from networks of one layer and of two."""
    spec, options = model_spec("gpt"), PRESETS[name].options
    sizes = {key: value for key, value in options.items() if key in spec.settings}
    one, two = (
        spec.build(
            spec.configure({**sizes, "n_layer": n, "vocabulary_size": 2}), np.random.default_rng(1)
        ).num_parameters()
        for n in (1, 2)
    )
    assert one is not None
    assert two is not None
    matrices = 1 if sizes.get("tie_weights") else 2
    return int(one + (sizes["n_layer"] - 1) * (two - one) + matrices * (vocabulary - 2) * sizes["n_embd"])


def test_presets_have_the_sizes_of_the_lectures() -> None:
    assert parameters("gpt2-124m", 50_257) == 124_439_808  # as transformers counts GPT-2
    assert parameters("shakespeare-gpt", 65) / 1e6 == pytest.approx(10.8, abs=0.05)
    options = PRESETS["gpt2-124m"].options
    assert options["batch_size"] * options["context"] == 524_288
    config = RunConfig.of("names", model="gpt", **{**options, "tokens": "characters"}).train
    assert config is not None
    rate = config.rate()
    assert rate(0) == pytest.approx(6e-4 / 715)
    assert rate(714) == pytest.approx(6e-4)
    assert rate(19_073) == pytest.approx(6e-5)


def test_first_weights_of_gpt2() -> None:
    spec = model_spec("gpt")
    sizes = {"vocabulary_size": 90, "n_embd": 96, "n_layer": 3, "n_head": 4, "context": 32, "init": "gpt2"}
    network: Any = spec.build(spec.configure(sizes), np.random.default_rng(1))
    for name, module in network.named_modules():
        if isinstance(module, Linear):
            adds = name.endswith(("attention.output", "mlp.2"))
            assert module.weight.array.std() == pytest.approx(0.02 / np.sqrt(6) if adds else 0.02, rel=0.05), name
            assert module.bias is None or not module.bias.array.any()
    assert network.token.weight.array.std() == pytest.approx(0.02, rel=0.05)


def test_what_a_user_gives_takes_precedence() -> None:
    preset = preset_named("gpt2-124m")
    assert preset.engine_with({}) == {"engine": "torch", "micro_batch_size": 16}
    assert preset.engine_with({"micro_batch_size": 4}) == {"engine": "torch", "micro_batch_size": 4}
    assert preset.engine_with({"engine": "native"}) == {"engine": "native"}
    assert preset.options_for("text.txt")["tokens"] == "gpt2"
    line = preset_line("gpt2-124m", {"steps": 3, "n_embd": 768})
    assert "steps 3 (given, in place of 19,073)" in line
    assert "n_embd 768, " in line
    assert "tie_weights yes" in line
    with pytest.raises(ConfigError, match="no preset 'gpt-2'"):
        preset_named("gpt-2")
