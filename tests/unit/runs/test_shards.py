"""Checkpoints in parts: joined from files as PyTorch writes them, replaced as a whole, and checked."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from backlight.core import Array, RunError
from backlight.runs import RunDirectory, new_files
from backlight.runs.shards import Layout, joined
from backlight.training.group import ALONE
from backlight.training.sharded import ShardedCheckpoints

LAYOUT = [("a", 5, True), ("b", 2, False)]
WHOLE = {"parameters": np.arange(12, dtype=np.float32), "optimiser.mean": np.arange(12, dtype=np.float32) * 10}
"""`a` is (2, 5) in Backlight and (5, 2) in the files, and `b` is (2,)."""


def write(folder: Path, number: int, rows: dict[str, tuple[int, int]], *, factor: float = 1) -> None:
    """Write the file of a process, which has rows `begin` to `end` of each parameter."""
    tensors: dict[str, Array] = {}
    about: dict[str, Any] = {}
    for array, flat in WHOLE.items():
        theirs = {"a": flat[:10].reshape(2, 5).T, "b": flat[10:]}
        for name, (begin, end) in rows.items():
            tensors[f"{array}/{name}"] = np.ascontiguousarray(theirs[name][begin:end]) * np.float32(factor)
            about[f"{array}/{name}"] = {"saved_offsets": [begin, 0][: theirs[name].ndim]}
    save_file(tensors, folder / f"shard-{number}.safetensors", {"DCP_SHARDING_INFO": json.dumps(about)})


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "run", new_files(config={}, vocabulary={}))


def test_parts_are_joined_in_the_order_of_their_rows(run: RunDirectory) -> None:
    folder = run.path / "shards-a"
    folder.mkdir()
    write(folder, 1, {"a": (3, 5), "b": (2, 2)})  # a process may have no rows
    write(folder, 2, {"a": (0, 3), "b": (0, 2)})
    found = joined(run.path, Layout("shards-a", LAYOUT))
    assert found.keys() == WHOLE.keys()
    for name, array in WHOLE.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"a": (0, 3), "b": (0, 2)}], "of a is not complete"),
        ([{"a": (0, 2), "b": (0, 2)}, {"a": (3, 5), "b": (2, 2)}], "of a is not complete"),
        ([{"a": (0, 4), "b": (0, 2)}, {"a": (3, 5), "b": (2, 2)}], "of a is not complete"),
        ([{"a": (0, 5)}], "of b is not complete"),
        ([], "has no parts"),
    ],
)
def test_holes_and_overlaps_are_refused(
    run: RunDirectory, rows: list[dict[str, tuple[int, int]]], message: str
) -> None:
    folder = run.path / "shards-a"
    folder.mkdir()
    for number, part in enumerate(rows):
        write(folder, number, part)
    with pytest.raises(RunError, match=message):
        joined(run.path, Layout("shards-a", LAYOUT))


@pytest.mark.parametrize("content", [b"", b"no safetensors", None])
def test_files_of_something_else_are_refused(run: RunDirectory, content: bytes | None) -> None:
    folder = run.path / "shards-a"
    folder.mkdir()
    write(folder, 1, {"a": (0, 5), "b": (0, 2)})
    if content is None:
        save_file({"x": np.zeros(2)}, folder / "shard-2.safetensors")
    else:
        (folder / "shard-2.safetensors").write_bytes(content)
    with pytest.raises(RunError, match="is no part of a checkpoint"):
        joined(run.path, Layout("shards-a", LAYOUT))


class OneProcess:
    """An engine whose parts are `WHOLE`, times the number of steps."""

    layout, taken, fails = LAYOUT, 1, False

    def save_parts(self, folder: Path) -> None:
        write(folder, 1, {"a": (0, 5), "b": (0, 2)}, factor=self.taken)
        if self.fails:
            raise OSError(28, "No space left on device")

    def load_parts(self, folder: Path, *, taken: int) -> None:
        assert sorted(folder.iterdir())
        self.taken = taken


def test_a_checkpoint_replaces_the_one_before_or_leaves_it(run: RunDirectory) -> None:
    engine = OneProcess()
    checkpoints = ShardedCheckpoints(run, engine, ALONE)
    buffers = {"buffer.x": np.ones(3, np.float32)}
    for taken in (1, 2, 3):
        engine.taken = taken
        checkpoints.save(buffers, {"step": taken}, keep_at=None)
        arrays, facts = run.load_checkpoint()
        assert facts == {"step": taken}
        assert int(arrays["optimiser.steps"]) == taken
        np.testing.assert_array_equal(arrays["parameters"], WHOLE["parameters"] * taken)
        assert len(list(run.path.glob("shards-*"))) == 1
        assert run.last_step() == taken
    engine.taken, engine.fails = 4, True
    with pytest.raises(RunError, match="no space is left on the disk; the last checkpoint is unchanged"):
        checkpoints.save(buffers, {"step": 4}, keep_at=None)
    assert run.load_checkpoint()[1] == {"step": 3}
    assert not [path for path in run.path.iterdir() if "partial" in path.name]
    engine.taken = 0
    assert checkpoints.load() == {"step": 3}
    assert engine.taken == 3
    whole = run.load_checkpoint()
    checkpoints.join()
    assert not list(run.path.glob("shards-*"))
    assert checkpoints.load() is None
    assert run.load_checkpoint()[0].keys() == whole[0].keys()


def test_a_whole_checkpoint_removes_parts(run: RunDirectory) -> None:
    ShardedCheckpoints(run, OneProcess(), ALONE).save({}, {"step": 1}, keep_at=None)
    run.save_checkpoint({"parameters": np.zeros(3)}, {"step": 2})
    assert not list(run.path.glob("shards-*"))
    assert run.load_checkpoint()[1] == {"step": 2}
