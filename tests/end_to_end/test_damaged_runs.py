"""Runs that are damaged, moved, of another version, or in use: use what is whole, and say what is not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backlight.runs.store import config_digest

FLIPS = 20


def flip(path: Path, share: float) -> None:
    """Turn over one bit at this share of a file."""
    data = bytearray(path.read_bytes())
    place = min(int(share * len(data)), len(data) - 1)
    data[place] ^= 1 << place % 8
    path.write_bytes(data)


@pytest.mark.parametrize("share", [i / FLIPS for i in range(FLIPS)])
def test_a_flipped_bit_in_the_weights_is_found(runs: Any, share: float) -> None:
    flip(runs.folder / "runs/net/weights.safetensors", share)
    runs.refused("sample", "net", says="runs/net/weights.safetensors is damaged")


@pytest.mark.parametrize("byte", range(8))
def test_a_flipped_bit_in_the_length_of_the_header_is_found(runs: Any, byte: int) -> None:
    path = runs.folder / "runs/counted/weights.safetensors"
    data = bytearray(path.read_bytes())
    data[byte] ^= 0x80
    path.write_bytes(data)
    runs.refused("score", "counted", "names.txt", says="is damaged")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.99])
def test_cut_off_weights_are_found(runs: Any, share: float) -> None:
    path = runs.folder / "runs/net/weights.safetensors"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    runs.refused("sample", "net", says="is damaged")
    runs.refused("score", "net", "names.txt", says="is damaged")


def test_weights_with_something_after_them_are_found(runs: Any) -> None:
    with (runs.folder / "runs/net/weights.safetensors").open("ab") as file:
        file.write(b"\0")
    runs.refused("sample", "net", says="is damaged")


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_a_flipped_bit_in_the_checkpoint_is_found_on_resuming(runs: Any, share: float) -> None:
    flip(runs.folder / "runs/net/optimiser.safetensors", share)
    runs.refused("train", "--resume", "net", says="optimiser.safetensors is damaged")
    runs.works("sample", "net")


def test_a_flipped_bit_in_what_was_seen_is_found_when_it_is_needed(runs: Any) -> None:
    flip(runs.folder / "runs/net/seen.safetensors", 0.9)
    runs.refused("sample", "net", "--novel", says="seen.safetensors is damaged")
    runs.works("sample", "net")


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff\xfe"])
def test_garbled_json_is_found(runs: Any, name: str, content: bytes) -> None:
    (runs.folder / "runs/net" / name).write_bytes(content)
    for words in (("sample", "net"), ("train", "--resume", "net"), ("runs", "show", "net")):
        runs.refused(*words, says=name)
    listed = runs.works("runs", "list").out
    assert "cannot be opened" in listed
    assert "counted" in listed


def edited(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a configuration, and its checksum too: as another version of Backlight might have written it."""
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps({**config, "sha256": config_digest(config)}))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda config: config.update(format=3), "has format 3, made by Backlight"),
        (lambda config: config.update(format="1"), '"format" is not a number'),
        (lambda config: config.pop("format"), '"format" is not a number'),
        (lambda config: config.update(seed="one"), "seed must be a whole number; got 'one'"),
        (lambda config: config.update(seed=-1), "seed must be 0 or more"),
        (lambda config: config.update(seed=1.5), "seed must be a whole number; got 1.5"),
        (lambda config: config.update(split_seed=None), "split_seed must be a whole number; got None"),
        (lambda config: config.update(fractions=[1]), "fractions must be a list of 3 numbers; got (1,)"),
        (lambda config: config.update(duplicates="drop"), "duplicates must be one of together, keep; got 'drop'"),
        (lambda config: config.update(surprise=1), "'surprise' is unknown"),
        (lambda config: config.update(train=None), "needs a TrainConfig"),
        (lambda config: config.update(train=[]), "train must be an object or None; got []"),
        (lambda config: config["train"].pop("steps"), "steps is missing"),
        (lambda config: config["train"].update(steps=0), "steps must be from 1"),
        (lambda config: config["train"].update(lr="fast"), "lr must be a number; got 'fast'"),
        (lambda config: config.pop("model"), "model is missing"),
        (lambda config: config["model"].update(name="crystal-ball"), "there is no model 'crystal-ball'"),
        (lambda config: config["model"].update(settings=3), "settings must be a mapping; got 3"),
        (lambda config: config["model"]["settings"].update(hidden=4), "hidden must be a list of whole numbers; got 4"),
        (
            lambda config: config["model"]["settings"].update(hidden=["4"]),
            "hidden must be a list of whole numbers; got ('4',)",
        ),
        (lambda config: config["model"]["settings"].update(context="two"), "context must be a whole number; got 'two'"),
        (lambda config: config["model"]["settings"].update(depth=3), "mlp has no setting 'depth'"),
        (lambda config: config["corpus"].pop("mode"), "mode is missing"),
        (lambda config: config["corpus"].update(mode="lines"), "mode must be one of items, text; got 'lines'"),
    ],
)
def test_a_config_of_another_version_or_hand_is_met_with_one_line(
    runs: Any, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    edited(runs.folder / "runs/net/config.json", change)
    runs.refused("train", "--resume", "net", says=says)
    runs.refused("sample", "net", says=says)


@pytest.mark.parametrize("key", ["hidden", "embedding", "context"])
def test_weights_of_another_model_are_found(runs: Any, key: str) -> None:
    sizes = {"hidden": [5], "embedding": 3, "context": 3}
    edited(runs.folder / "runs/net/config.json", lambda config: config["model"]["settings"].update({key: sizes[key]}))
    runs.refused("sample", "net", says="shape")
    runs.refused("train", "--resume", "net", says="a checkpoint must belong to its run")


def test_files_of_another_run_are_found(runs: Any) -> None:
    folder = runs.folder / "runs"
    shutil.copy(folder / "counted/weights.safetensors", folder / "net/weights.safetensors")
    runs.refused("sample", "net")
    shutil.copy(folder / "stream/weights.safetensors", folder / "counted/weights.safetensors")
    runs.refused("sample", "counted")
    shutil.copy(folder / "stream/vocabulary.json", folder / "net/vocabulary.json")
    runs.refused("sample", "net")


@pytest.mark.parametrize("name", ["metrics.jsonl", "result.json", "samples.txt", "seen.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{", b'{"step": "x"}\n', b"\xff"])
def test_what_else_is_garbled_stops_only_what_needs_it(runs: Any, name: str, content: bytes) -> None:
    (runs.folder / "runs/net" / name).write_bytes(content)
    runs.works("sample", "net")
    for words in (("runs", "show", "net"), ("runs", "list"), ("runs", "compare", "net", "counted")):
        runs.works_or_is_refused(*words)
    runs.works_or_is_refused("train", "--resume", "net")


@pytest.mark.parametrize("name", ["weights.safetensors", "config.json", "vocabulary.json", "seen.safetensors"])
def test_a_file_that_is_gone(runs: Any, name: str) -> None:
    (runs.folder / "runs/net" / name).unlink()
    for words in (("sample", "net", "--novel"), ("runs", "show", "net"), ("train", "--resume", "net")):
        runs.works_or_is_refused(*words)


def test_a_vocabulary_that_does_not_cover_the_file(runs: Any) -> None:
    runs.write("others", "emma\nZoë\nava\n")
    found = runs("score", "net", "others", "--json")
    first = found.json["scores"][0]
    assert (first["text"], first["unknown"]) == ("Zoë", "Zë")
    assert first["nats"] is None, "infinity, which JSON does not have"
    assert (found.json["lines"], found.json["unreadable"]) == (2, 1)
    assert "Left out of this mean: 1 with characters that the vocabulary does not have: Zë" in found.err
    assert "inf inf Zoë" in " ".join(found.err.split())
    runs.write("others", "Zoë\n")
    found = runs("score", "net", "others", "--json")
    assert (found.json["lines"], found.json["unreadable"], found.json["nats_per_character"]) == (0, 1, None)
    assert "No line can be read: all 1 with characters that the vocabulary does not have: Zë" in found.err
    runs.write("others", "emma\nZoë\n")
    runs.refused("score", "stream", "others", says="got 'Z' (U+005A) at line 2")
    runs.refused(
        "sample", "net", "--prefix", "Zo", says="a prefix must consist of characters in the vocabulary; got 'Z'"
    )


def test_a_run_that_was_moved_works_as_before(runs: Any) -> None:
    before = runs.works("sample", "net", "--seed", "1").out
    (runs.folder / "runs/net").rename(runs.folder / "elsewhere")
    assert runs.works("sample", "elsewhere", "--seed", "1").out == before
    resumed = runs.works("train", "--resume", "elsewhere")
    assert "Training is complete" in resumed.out
    assert "The run is in elsewhere." in resumed.out


def test_a_text_that_has_changed_is_no_text_to_go_on_with(runs: Any) -> None:
    with (runs.folder / "names.txt").open("a") as file:
        file.write("zoe\n")
    runs.refused("train", "--resume", "net", says="'names.txt' is not the text that runs/net was started with")
    (runs.folder / "names.txt").unlink()
    runs.refused("train", "--resume", "net", says="there is no 'names.txt'")


@pytest.mark.parametrize("run", ["net", "counted", "stream"])
def test_a_finished_run_may_be_resumed(runs: Any, run: str) -> None:
    weights = runs.folder / "runs" / run / "weights.safetensors"
    before = weights.read_bytes()
    runs.works("train", "--resume", run)
    assert weights.read_bytes() == before


def test_a_name_that_is_taken(runs: Any, tiny: Callable[..., Any]) -> None:
    runs.refused("train", "names.txt", *tiny(), "--name", "net", says="runs/net exists already")


def test_what_is_no_run(runs: Any) -> None:
    (runs.folder / "folder").mkdir()
    runs.refused("sample", "folder", says="has none")
    runs.refused("sample", "names.txt", says="is a file or in a file")
    for command in ("sample", "health", "report", "page", "studio"):
        runs.refused(command, "x" * 5000, says="there is no 'xxx")
