"""SIGKILL at any moment: a file is the old one whole or the new one whole, a run is there whole or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backlight.runs import RunDirectory, new_files, write_atomically

BLOCK = 4096
KILLS = 20

# Writes version after version, and tells after each. Version k is a number of blocks of the byte k % 256.
REWRITE = f"""
import itertools, sys
from pathlib import Path
from backlight.runs.atomic import write_atomically
for version in itertools.count():
    write_atomically(Path(sys.argv[1]), bytes([version % 256]) * ({BLOCK} * (1 + version % 64)))
    sys.stdout.buffer.write(b".")
    sys.stdout.buffer.flush()
"""

# Forks once for each system call of an action; that child dies by SIGKILL just before the call, or in a write's middle.
AT_EVERY_CALL = """
import fcntl, itertools, os, signal, sys
from pathlib import Path
from backlight.runs import RunDirectory, new_files, write_atomically

target = Path(sys.argv[1])
def rewrite(): write_atomically(target, b"new!" * 1000)
def create(): RunDirectory.create(target, new_files(config={"seed": 1}, vocabulary={"characters": ["a"]}))
action = {"rewrite": rewrite, "create": create}[sys.argv[2]]

def deadly(module, name, last):
    real = getattr(module, name)
    def call(*args, **kwargs):
        last[0] -= 1
        if last[0] < 0:
            if name == "write":
                real(args[0], bytes(args[1])[:7])
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    setattr(module, name, call)

for survived in itertools.count():
    child = os.fork()
    if child == 0:
        last = [survived]
        for name in ("open", "mkdir", "write", "fsync", "replace", "rename", "close", "unlink", "rmdir"):
            deadly(os, name, last)
        deadly(fcntl, "flock", last)
        action()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print("killed" if os.WIFSIGNALED(status) else "done", flush=True)
    if not os.WIFSIGNALED(status):
        sys.exit(os.waitstatus_to_exitcode(status))
    sys.stdin.readline()  # until the test has looked
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def start(script: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_a_file_rewritten_without_end_is_whole_after_every_kill(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "file"
    versions = set()
    for _ in range(KILLS):
        with start(REWRITE, path) as process:
            assert process.stdout is not None
            process.stdout.read(int(rng.integers(1, 60)))
            for _ in range(int(rng.integers(0, 300))):  # a moment of no fixed length, so that kills fall anywhere
                path.stat()
            process.kill()
        assert process.returncode == -signal.SIGKILL
        data = path.read_bytes()
        blocks, rest = divmod(len(data), BLOCK)
        assert rest == 0
        assert len(set(data)) == 1
        assert blocks == 1 + data[0] % 64
        versions.add(data[0])
    assert len(versions) > 1
    write_atomically(path, b"after all that")
    assert path.read_bytes() == b"after all that"


def watch(process: subprocess.Popen[bytes]) -> bool:
    """Wait for the next death; False when the action went through."""
    assert process.stdout is not None
    return {b"killed\n": True, b"done\n": False}[process.stdout.readline()]


def go_on(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()


def test_killed_at_every_system_call_of_a_rewrite(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", new_files(config={}, vocabulary={}))
    old, new, path = b"old" * 1000, b"new!" * 1000, run.path / "samples.txt"
    path.write_bytes(old)
    kills = leftovers = 0
    with start(AT_EVERY_CALL, path, "rewrite") as process:
        while watch(process):
            kills += 1
            assert path.read_bytes() in {old, new}
            leftovers += len(names(run.path)) > 3
            RunDirectory.open(run.path)
            assert names(run.path) == ["config.json", "samples.txt", "vocabulary.json"]
            path.write_bytes(old)
            go_on(process)
    assert process.returncode == 0
    assert path.read_bytes() == new
    assert kills >= 6  # open, lock, write, sync, rename, close
    assert leftovers >= 3  # or the kills do not fall where they should


def test_killed_at_every_system_call_of_making_a_run(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    path = root / "names-mlp-1"
    kills = whole = 0
    with start(AT_EVERY_CALL, path, "create") as process:
        while watch(process):
            kills += 1
            if path.exists():
                whole += 1
                assert RunDirectory.open(path).vocabulary == {"characters": ["a"]}
                for file in path.iterdir():
                    file.unlink()
                path.rmdir()
            go_on(process)
    assert process.returncode == 0
    assert kills >= 12
    assert whole >= 1
    assert names(root) == ["names-mlp-1"]
    assert RunDirectory.open(path).config["seed"] == 1


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", new_files(config={}, vocabulary={}))
    hold = """
import sys
from pathlib import Path
from backlight.runs import RunDirectory, new_files
with RunDirectory.open(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.readline()
"""
    with start(hold, run.path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ValueError, match=f"is being trained by process {process.pid}") as error, run.lock():
            pytest.fail("two hold one run")
        assert str(run.path) in str(error.value)
        assert "\n" not in str(error.value)
        process.kill()
    with run.lock():
        pass
