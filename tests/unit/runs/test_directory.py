"""A run keeps what it is given, and says in one line what is wrong with it."""

import errno
import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.core import RunError
from backlight.runs import FORMAT, RunDirectory, extra_files, locking, new_files

CONFIG = {"model": {"name": "mlp", "context": 3}, "corpus": "names", "seed": 42, "split": (0.8, 0.1, 0.1)}
VOCABULARY = {"characters": [".", "a", "é", "字", "😀", "\n"]}


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "runs" / "names-mlp-1", new_files(config=CONFIG, vocabulary=VOCABULARY))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(path: Path, reason: str) -> str:
    with pytest.raises(RunError, match=reason) as error:
        RunDirectory.open(path)
    message = str(error.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_new_run_has_its_config_and_vocabulary_and_nothing_else(run: RunDirectory) -> None:
    assert names(run.path) == ["config.json", "vocabulary.json"]
    assert names(run.path.parent) == ["names-mlp-1"]
    assert run.config["format"] == FORMAT
    assert run.config["backlight"]
    assert datetime.fromisoformat(run.config["created"]).utcoffset() == timedelta(0)
    assert {name: run.config[name] for name in CONFIG} == {**CONFIG, "split": [0.8, 0.1, 0.1]}
    assert run.vocabulary == VOCABULARY
    assert not run.has_weights
    assert not run.has_checkpoint
    assert run.load_metrics() == []
    assert run.load_samples() is None
    assert run.load_result() is None


def test_opened_again_it_is_the_same(run: RunDirectory) -> None:
    assert RunDirectory.open(run.path) == run


def test_the_files_are_for_people_too(run: RunDirectory) -> None:
    text = (run.path / "config.json").read_text()
    assert '\n  "seed": 42' in text
    assert "字" in (run.path / "vocabulary.json").read_text()


def test_weights_and_checkpoint_are_kept_apart(run: RunDirectory) -> None:
    run.save_weights({"w": np.ones(2)}, {"step": 1})
    assert run.has_weights
    assert not run.has_checkpoint
    run.save_checkpoint({"w": np.zeros(3)}, {"step": 2})
    assert run.has_checkpoint
    again = RunDirectory.open(run.path)
    for (arrays, facts), expected, step in (
        (again.load_weights(), np.ones(2), 1),
        (again.load_checkpoint(), np.zeros(3), 2),
    ):
        np.testing.assert_array_equal(arrays["w"], expected)
        assert facts == {"step": step}


def test_seen(tmp_path: Path, rng: np.random.Generator) -> None:
    hashes = rng.integers(0, 2**64, 1000, dtype=np.uint64)
    run = RunDirectory.create(
        tmp_path / "run", new_files(config={}, vocabulary={}) | extra_files(seen=hashes, corpus=None)
    )
    np.testing.assert_array_equal(run.load_training_hashes(), hashes, strict=True)


KNOWN = {"step", "loss", "lr", "dev_nats", "train_nats", "seconds", "characters_per_second"}
OTHERS = st.dictionaries(st.text().filter(lambda key: key not in KNOWN), st.integers() | st.text() | st.floats(0, 9))
RECORDS = st.lists(
    st.builds(
        lambda step, name, nats, others: {"step": step, name: nats, **others},
        st.integers(0), st.sampled_from(["loss", "dev_nats"]), st.none() | st.floats(0, 9), OTHERS,
    )
)  # fmt: skip


@given(RECORDS)
def test_metrics_one_object_a_line(tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]) -> None:
    folder = tmp_path_factory.getbasetemp() / "metrics"
    run = (
        RunDirectory.open(folder)
        if folder.exists()
        else RunDirectory.create(folder, new_files(config={}, vocabulary={}))
    )
    run.save_metrics(records)
    assert run.load_metrics() == records
    assert (folder / "metrics.jsonl").read_bytes().count(b"\n") == len(records)


def test_a_loss_that_is_not_a_number_is_null_in_metrics_and_result(run: RunDirectory) -> None:
    run.save_metrics([{"step": 0, "dev_nats": float("nan")}, {"step": 1, "dev_nats": 2.5, "note": "a\u2028b"}])
    run.save_result({"dev_nats": float("inf"), "steps": np.int64(3)})
    assert run.load_metrics() == [{"step": 0, "dev_nats": None}, {"step": 1, "dev_nats": 2.5, "note": "a\u2028b"}]
    assert run.load_result() == {"dev_nats": None, "steps": 3}
    assert "NaN" not in (run.path / "metrics.jsonl").read_text()


@pytest.mark.parametrize("text", ["", "emma\nolivia\n", "a\r\nb\u2028字"])
def test_samples(run: RunDirectory, text: str) -> None:
    run.save_samples(text)
    assert run.load_samples() == text


def test_an_existing_folder_file_or_link_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    before = names(tmp_path)
    for name in before:
        with pytest.raises(RunError, match=f"{name} exists already"):
            RunDirectory.create(tmp_path / name, new_files(config={}, vocabulary={}))
    assert names(tmp_path) == before
    with pytest.raises(RunError, match="cannot write"):
        RunDirectory.create(tmp_path / "file" / "run", new_files(config={}, vocabulary={}))


def test_what_the_run_writes_itself_may_not_be_given(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="got format"):
        RunDirectory.create(tmp_path / "run", new_files(config={"format": 3}, vocabulary={}))
    with pytest.raises(RunError, match="got sha256"):
        RunDirectory.create(tmp_path / "run", new_files(config={}, vocabulary={"sha256": "x"}))
    assert names(tmp_path) == []


def test_nothing_there_a_file_and_another_folder(tmp_path: Path) -> None:
    refused(tmp_path / "gone", "there is no run at")
    (tmp_path / "file").touch()
    refused(tmp_path / "file", "a run must be a folder")
    refused(tmp_path / "file" / "run", "a run must be a folder")
    refused(tmp_path, "folder with a config.json")


@pytest.mark.parametrize(
    ("found", "remedy"),
    [(FORMAT + 1, "Upgrade Backlight"), (0, r"Use Backlight 9\.9\.9"), (-5, "Use Backlight")],
)
def test_another_format_says_which_and_what_to_do(run: RunDirectory, found: int, remedy: str) -> None:
    edit(run.path / "config.json", format=found, backlight="9.9.9")
    message = refused(run.path, remedy)
    assert f"has format {found}" in message
    assert f"can read formats 1 to {FORMAT}" in message


@pytest.mark.parametrize("found", [None, "1", True, 1.5, [1]])
def test_a_format_that_is_no_number(run: RunDirectory, found: object) -> None:
    edit(run.path / "config.json", format=found)
    refused(run.path, "is damaged")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"\0" * 100])
@pytest.mark.parametrize("name", ["config.json", "vocabulary.json"])
def test_a_garbled_file_that_every_run_has(run: RunDirectory, name: str, data: bytes) -> None:
    (run.path / name).write_bytes(data)
    assert name in refused(run.path, "is damaged")


def test_a_vocabulary_with_one_character_changed(run: RunDirectory) -> None:
    path = run.path / "vocabulary.json"
    path.write_text(path.read_text().replace('"a"', '"b"'))
    refused(run.path, "does not match its checksum")


@pytest.mark.parametrize(
    ("old", "new"), [('"seed": 42', '"seed": 43'), ('"context": 3', '"context": 4'), ("0.8", "0.7")]
)
def test_a_config_with_one_value_changed(run: RunDirectory, old: str, new: str) -> None:
    path = run.path / "config.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    message = refused(run.path, "it was changed after the run was made")
    assert "Restore it, or start a new run." in message
    path.write_text(text)
    assert RunDirectory.open(run.path) == run


def test_a_config_may_be_laid_out_otherwise_and_its_text_may_have_moved(tmp_path: Path) -> None:
    config = {"corpus": {"name": "old.txt", "mode": "items", "sha256": "0"}, "seed": 1}
    run = RunDirectory.create(tmp_path / "run", new_files(config=config, vocabulary={}))
    path = run.path / "config.json"
    values = json.loads(path.read_text())
    values["corpus"]["name"] = "new.txt"
    path.write_text(json.dumps(dict(reversed(values.items()))))
    assert RunDirectory.open(run.path).config["corpus"]["name"] == "new.txt"
    values["corpus"]["sha256"] = "1"
    path.write_text(json.dumps(values))
    refused(run.path, "it was changed")


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", "metrics.jsonl"])
def test_a_pipe_or_a_device_is_no_file(run: RunDirectory, name: str) -> None:
    """A pipe would keep its reader waiting; /dev/zero never ends."""
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        (run.path / name).unlink(missing_ok=True)
        make(run.path / name)
        if name == "metrics.jsonl":
            assert run.load_metrics() == []
        else:
            refused(run.path, "it is not a regular file")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{}", '"step" is not'), ('{"loss": 1}', '"step" is not'), ('{"step": "3", "loss": 1}', '"step" is not'),
        ('{"step": -1, "loss": 1}', '"step" is not'), ('{"step": 1.5, "loss": 1}', '"step" is not'),
        ('{"step": true, "loss": 1}', '"step" is not'), ('{"step": 3}', 'it has neither "loss" nor "dev_nats"'),
        ('{"step": 3, "loss": "x"}', '"loss" is not a number'), ('{"step": 3, "dev_nats": [1]}', '"dev_nats" is not'),
        ('{"step": 3, "loss": 1e400}', "1e400 is not a finite number"), ('{"step": 3, "loss": NaN}', "NaN is not"),
        ('{"step": 3, "loss": -Infinity}', "-Infinity is not"), ("[1]", "expected a JSON object"),
    ],
)  # fmt: skip
def test_a_line_of_metrics_that_was_edited(run: RunDirectory, line: str, says: str) -> None:
    run.write("metrics.jsonl", b'{"step": 0, "dev_nats": null}\n' + line.encode() + b"\n")
    with pytest.raises(RunError) as error:
        run.load_metrics()
    assert f"metrics.jsonl is damaged: line 2: {says}" in str(error.value).replace("not valid JSON (", "")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", ['"x"', "[1]", "true", "1e400"])
def test_a_result_that_was_edited(run: RunDirectory, value: str) -> None:
    run.write("result.json", f'{{"run": "a", "dev_nats": {value}}}'.encode())
    with pytest.raises(RunError, match=r"result\.json is damaged"):
        run.load_result()


def test_a_vocabulary_that_is_missing(run: RunDirectory) -> None:
    (run.path / "vocabulary.json").unlink()
    refused(run.path, r"cannot read .*vocabulary\.json")


def test_a_config_that_may_not_be_read(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    refused(run.path, "permission denied")


def test_missing_parts_say_what_to_do(run: RunDirectory) -> None:
    for load, remedy in (
        (run.load_weights, "Resume"),
        (run.load_checkpoint, "Train again"),
        (run.load_training_hashes, "Train"),
    ):
        with pytest.raises(RunError, match=rf"has no \w+\.safetensors: .*{remedy}") as error:
            load()
        assert str(run.path) in str(error.value)


def test_broken_weights_cannot_be_had_back_from_a_checkpoint(run: RunDirectory) -> None:
    run.save_weights({"w": np.ones(2)}, {})
    path = run.path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"weights\.safetensors is damaged: it is truncated .* Train again"):
        run.load_weights()
    run.save_checkpoint({"w": np.ones(2)}, {})
    with pytest.raises(RunError, match="Train again"):
        run.load_weights()


def test_garbled_metrics_samples_and_result_give_one_line(run: RunDirectory) -> None:
    (run.path / "metrics.jsonl").write_bytes(b'{"step": 1, "loss": 2}\n{"step"\n')
    (run.path / "samples.txt").write_bytes(b"a\xff")
    (run.path / "result.json").write_bytes(b"[]")
    for load, reason in ((run.load_metrics, "line 2: "), (run.load_samples, "byte 1"), (run.load_result, "a list")):
        with pytest.raises(RunError, match=reason) as error:
            load()
        assert "\n" not in str(error.value)


def test_a_full_disk_keeps_every_old_file(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def save(number: int) -> list[Any]:
        return [
            lambda: run.save_weights({"w": np.full(9, number)}, {}),
            lambda: run.save_checkpoint({"w": np.full(9, number)}, {}),
            lambda: run.save_metrics([{"step": number, "loss": 1.0}]),
            lambda: run.save_samples(f"{number}"),
            lambda: run.save_result({"steps": number}),
        ]

    for write in save(1):
        write()
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        for write in save(2):
            with pytest.raises(RunError, match="no space is left"):
                write()
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before


def test_one_trains_at_a_time(run: RunDirectory) -> None:
    other = RunDirectory.open(run.path)
    with run.lock():
        with pytest.raises(RunError, match=f"being trained by process {os.getpid()}"), other.lock():
            pytest.fail("two hold one run")
        run.save_samples("the holder may write")
        assert RunDirectory.open(run.path).load_samples() == "the holder may write"
    with other.lock(), pytest.raises(RunError), run.lock():
        pytest.fail("two hold one run")


def test_deleting_the_holders_name_lets_nobody_in(run: RunDirectory) -> None:
    with run.lock():
        (run.path / ".lock").unlink()
        with pytest.raises(RunError, match="being trained by another process"), run.lock():
            pytest.fail("two hold one run")


def test_a_failure_inside_the_lock_frees_it(run: RunDirectory) -> None:
    with pytest.raises(KeyError), run.lock():
        raise KeyError
    with run.lock():
        pass


@pytest.mark.parametrize("call", [(os, "open"), (Path, "write_text")], ids=["open", "write"])
def test_a_lock_that_cannot_be_written(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, call: tuple[Any, str]
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(*call, refuse)
        with pytest.raises(RunError, match="can only be read; the run is unchanged"), run.lock():
            pytest.fail("not held")
    with run.lock():
        pass


def test_a_disk_without_locks(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locking.fcntl, "flock", refuse)
    with pytest.raises(RunError, match="no locks available"), run.lock():
        pytest.fail("not held")
