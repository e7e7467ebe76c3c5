"""Groups of processes that train together, as `torchrun` starts them, but forked from one that has imported PyTorch.

Each process is told its number by the variables that `torchrun` sets, and then is the command `backlight`. It notes
which rows of data it reads, and may kill itself at a given step.
"""

import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ended:
    """What a group left behind.

    Attributes:
        codes: the exit code of each process; that of a killed one is -9.
        out: what each wrote to standard output.
        err: what each wrote to standard error.
        read: by step, the checksums of the rows of data that each process computed.
    """

    codes: list[int]
    out: list[str]
    err: list[str]
    read: dict[int, list[list[int]]]


class RankServer:
    """Starts groups of processes that train. `close` ends it."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True,
            start_new_session=True,
        )  # fmt: skip

    def train(
        self, words: Sequence[object], size: int, folder: Path, *, kill: tuple[int, int, str] | None = None,
        other_weights: int | None = None,
    ) -> Ended:  # fmt: skip
        """Run `backlight` with these words in a group of processes.

        Args:
            words: the arguments.
            size: the number of processes.
            folder: the folder in which they run.
            kill: the process that kills itself, the step, and where: before "forward", "backward" or "update"; before
                it writes its part of a checkpoint after this step, "save"; or after that, "written".
            other_weights: a process whose model begins with all weights at 1.
        """
        with tempfile.TemporaryDirectory() as notes:
            task = {"words": list(map(str, words)), "size": size, "folder": str(folder), "kill": kill, "notes": notes}
            task["other_weights"] = other_weights
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(task) + "\n")
            self._process.stdin.flush()
            codes = json.loads(self._process.stdout.readline())
            streams = [[Path(notes, f"{rank}.{kind}").read_text() for rank in range(size)] for kind in ("out", "err")]
            read: dict[int, list[list[int]]] = {}
            for rank in range(size):
                for line in Path(notes, f"{rank}.read").read_text().splitlines():
                    step, rows = json.loads(line)
                    read.setdefault(step, []).append(rows)
        return Ended(codes, streams[0], streams[1], read)

    def close(self) -> None:
        """End the server, and whatever it has started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def _serve() -> None:
    """Fork a group for each line of standard input, and write the exit codes of its processes."""
    import torch

    import backlight.cli.app

    for package in ("backlight.cli", "backlight.training", "backlight.pytorch", "backlight.sample"):
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__, package + "."):
            importlib.import_module(module.name)
    with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
        backlight.cli.app.app(["train", "--steps", "many"])  # the first option that is parsed makes typer import more
    importlib.import_module("torch.distributed.fsdp")
    importlib.import_module("torch.distributed.checkpoint")
    torch.set_num_threads(1)
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])  # the first optimiser imports much
    gc.freeze()
    for line in sys.stdin:
        task = json.loads(line)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        children = []
        for rank in range(task["size"]):
            child = os.fork()
            if not child:
                _become(task, rank, port)
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        sys.stdout.write(json.dumps(codes) + "\n")
        sys.stdout.flush()


def _become(task: dict[str, Any], rank: int, port: int) -> None:
    """Be one process of a group, and exit."""
    import backlight.cli

    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(task["size"]), MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )  # fmt: skip
    os.chdir(task["folder"])
    notes = Path(task["notes"])
    for number, kind in ((1, "out"), (2, "err")):
        stream = os.open(notes / f"{rank}.{kind}", os.O_WRONLY | os.O_CREAT)
        os.dup2(stream, number)
    _note_and_kill(notes / f"{rank}.read", rank, task["kill"])
    if rank == task["other_weights"]:
        _begin_with_ones()
    sys.argv = ["backlight", *task["words"]]
    try:
        backlight.cli.main()
        code: Any = 0
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001
        sys.excepthook(*sys.exc_info())  # a traceback is in the process's standard error
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def _begin_with_ones() -> None:
    from backlight.training.trainer import Trainer

    begin = Trainer.__post_init__

    def changed(trainer: Trainer) -> None:
        trainer.model.flat().data[...] = 1
        begin(trainer)

    Trainer.__post_init__ = changed  # type: ignore[method-assign]


def _note_and_kill(notes: Path, rank: int, kill: list[Any] | None) -> None:
    """Let the torch engine note the rows that it reads, and kill this process at its step."""
    from backlight.training.torch_engine import TorchEngine

    file = notes.open("w", buffering=1, encoding="ascii")
    now = [0]

    def dies(where: str) -> bool:
        return kill is not None and kill == [rank, now[0], where]

    forward, backward, update = TorchEngine.forward, TorchEngine.backward, TorchEngine.update

    def noted(engine: Any, batch: Any, step: int) -> float:
        now[0] = step
        if dies("forward"):
            os.kill(os.getpid(), signal.SIGKILL)
        spans = engine._training.steps.rows(len(batch.x))
        own = [
            zlib.crc32(batch.x[at].tobytes() + batch.y[at].tobytes())
            for first, last in spans
            for at in range(first, last)
        ]
        file.write(json.dumps([step, own]) + "\n")
        return forward(engine, batch, step)

    def ended(engine: Any, *arguments: Any, where: str, usual: Any) -> None:
        if dies(where):
            os.kill(os.getpid(), signal.SIGKILL)
        usual(engine, *arguments)

    save_parts = TorchEngine.save_parts

    def saved(engine: Any, path: Path) -> None:
        ended(engine, path, where="save", usual=save_parts)
        if dies("written"):
            os.kill(os.getpid(), signal.SIGKILL)

    TorchEngine.save_parts = saved  # type: ignore[method-assign]
    TorchEngine.forward = noted  # type: ignore[method-assign]
    TorchEngine.backward = lambda engine: ended(engine, where="backward", usual=backward)  # type: ignore[method-assign]
    TorchEngine.update = lambda engine, *more: ended(engine, *more, where="update", usual=update)  # type: ignore[method-assign]


if __name__ == "__main__":
    _serve()
