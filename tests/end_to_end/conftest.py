"""The real command in a process of its own, in a folder of its own."""

import atexit
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.end_to_end.driving import Browser
from tests.end_to_end.forking import ForkServer

COMMAND = Path(sys.executable).with_name("backlight")
TIMEOUT = 120

NAMES = [
    "emma", "olivia", "ava", "isabella", "sophia", "mia", "amelia", "harper", "evelyn", "abigail",
    "liam", "noah", "oliver", "james", "elijah", "william", "henry", "lucas", "benjamin", "theodore",
    "mateo", "levi", "sebastian", "daniel", "jack", "wyatt", "owen", "luca",
]  # fmt: skip

TINY = ("--context", "2", "--embedding", "2", "--hidden", "4", "--batch-size", "8", "--steps", "6")
"""Options of a network that learns nothing, at once."""


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last line of standard output."""
        return json.loads(self.out.splitlines()[-1])


@dataclass(frozen=True)
class Shell:
    """Runs the command in a folder, and never lets a traceback pass."""

    folder: Path
    command: Path = COMMAND

    def __call__(
        self, *words: object, stdin: bytes | None = None, env: dict[str, str] | None = None, **options: Any
    ) -> Result:
        code, *streams = self._run(list(map(str, words)), stdin, self.environment(env), options)
        out, err = ((stream or b"").decode(errors="replace") for stream in streams)
        assert "Traceback" not in out + err
        assert "Warning" not in out + err
        return Result(code, out, err)

    def _run(
        self, words: list[str], stdin: bytes | None, environment: dict[str, str], options: dict[str, Any]
    ) -> tuple[int, bytes | None, bytes | None]:
        words = [str(self.command), *words]
        server = fork_server() if stdin is None and not options and self.command == COMMAND else None
        if server and server.can_run(environment):
            try:
                return server.run(words, self.folder, TIMEOUT)
            except subprocess.TimeoutExpired:
                fork_server.cache_clear()
                raise
        done = subprocess.run(
            words,
            input=b"" if stdin is None else stdin,
            cwd=self.folder,
            env=environment,
            timeout=TIMEOUT,
            check=False,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )
        return done.returncode, done.stdout, done.stderr

    def works(self, *words: object, **options: Any) -> Result:
        """Run a command that can do what it is asked."""
        result = self(*words, **options)
        assert (result.code, result.err) == (0, "")
        return result

    def refused(self, *words: object, says: str = "", keeps: bool = True, **options: Any) -> str:
        """Run a command that cannot: one line says why, the exit code is 1, and no file is touched."""
        before = self.files()
        result = self(*words, **options)
        assert result.code == 1, result
        assert result.err.startswith("backlight: ")
        assert result.err.count("\n") == 1
        assert result.err.endswith("\n")
        assert says in result.err
        if keeps:
            assert self.files() == before
        return result.err

    def works_or_is_refused(self, *words: object, **options: Any) -> None:
        """Run a command on something damaged, of which it may not need the damaged part."""
        result = self(*words, **options)
        assert result.code == 0 or (result.code == 1 and result.err.count("\n") == 1), result

    def start(self, *words: object, **options: Any) -> "subprocess.Popen[bytes]":
        """Start a command and return its process."""
        return subprocess.Popen(
            [COMMAND, *map(str, words)],
            cwd=self.folder,
            **{
                "env": self.environment(),
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                **options,
            },
        )

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def files(self) -> dict[str, bytes | None]:
        """Return all files and folders here with what is in them; a lock is not worth mentioning."""
        paths = sorted(path for path in self.folder.rglob("*") if path.name != ".lock")
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            if path.is_file() and os.access(path, os.R_OK)
            else None
            for path in paths
        }

    @staticmethod
    def environment(more: dict[str, str] | None = None) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "FORCE_COLOR"}}
        return {**kept, "OMP_NUM_THREADS": "1", **(more or {})}


@cache
def fork_server() -> ForkServer | None:
    """Return the process that starts the commands of this process's tests, or None where processes cannot fork."""
    if not hasattr(os, "fork"):
        return None
    server = ForkServer(Shell.environment())
    atexit.register(server.close)
    return server


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder with a list of names, `names.txt`."""
    made = Shell(tmp_path)
    made.write("names.txt", "\n".join(NAMES) + "\n")
    return made


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs that have been trained: a network, a counted one, and one of a stream."""
    there = Shell(tmp_path_factory.mktemp("trained"))
    there.write("names.txt", "\n".join(NAMES) + "\n")
    there.works("train", "names.txt", *TINY, "--name", "net")
    there.works("train", "names.txt", "--model", "ngram", "--name", "counted")
    there.works("train", "names.txt", *TINY, "--mode", "text", "--name", "stream")
    return there.folder


@pytest.fixture
def runs(shell: Shell, trained: Path) -> Shell:
    """A folder with `names.txt` and runs of its own: `net`, `counted` and `stream`."""
    shutil.copytree(trained / "runs", shell.folder / "runs")
    return shell


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium."""
    made = Browser(tmp_path_factory.mktemp("browser"))
    yield made
    made.close()


@pytest.fixture
def tiny() -> Callable[..., tuple[str, ...]]:
    """The options of a tiny network, some of them replaced: `tiny("--steps", "9")`."""

    def options(*other: str) -> tuple[str, ...]:
        pairs = zip(TINY[::2], TINY[1::2], strict=True)
        return tuple(word for pair in pairs if pair[0] not in other for word in pair) + other

    return options
