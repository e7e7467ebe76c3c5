"""Commands as forks of one process that has imported the package: each starts in a fiftieth of the time.

A command spends most of a short run on importing. The process below imports once, and for each command forks a child
that becomes that command: with a folder, standard streams, exit code and end of its own. A command with an environment
or streams other than usual is started in the ordinary way.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HELD_OUT = "PYTEST_CURRENT_TEST"
"""An environment variable that differs from test to test, and that no command reads."""

_SERVER = """
import atexit, contextlib, gc, importlib, io, json, os, pkgutil, socket, sys
import backlight.cli, backlight.cli.commands
for package in ("backlight.cli", "backlight.training", "backlight.health.checks"):
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, package + "."):
        if not module.name.endswith(".torch_engine"): # it needs PyTorch, which is not everywhere
            importlib.import_module(module.name)
import backlight.figures, backlight.compare, backlight.explanation, backlight.health.of_run, backlight.sample
with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
    backlight.cli.app.app(["train", "--steps", "many"]) # the first option that is parsed makes typer import more
gc.freeze()
calls = socket.socket(fileno=int(sys.argv[1]))
while True:
    _, files, *_ = socket.recv_fds(calls, 1, 3)
    if not files:
        os._exit(0)
    child = os.fork()
    if not child:
        break
    for file in files:
        os.close(file)
    calls.sendall(b"%d\\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
calls.close()
with open(files[0], encoding="utf-8") as request:
    task = json.load(request)
os.chdir(task["folder"])
reading, writing = os.pipe()
os.close(writing)
for file, number in ((reading, 0), (files[1], 1), (files[2], 2)):
    os.dup2(file, number)
    os.close(file)
sys.argv = task["words"]
sys.path[0] = os.path.dirname(task["words"][0])
try:
    sys.exit(backlight.cli.main())
except SystemExit as ended:
    code = ended.code
atexit._run_exitfuncs()
sys.stdout.flush()
sys.stderr.flush()
os._exit(code or 0) # without clearing the memory of a process that was never its own
"""


class ForkServer:
    """Runs commands in children of a process that has imported the package.

    Args:
        environment: of the process and so of every command.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = _lasting(environment)
        self._calls, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(theirs.fileno())],
            pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        theirs.close()

    def can_run(self, environment: dict[str, str]) -> bool:
        """Return whether a command with this environment can be forked."""
        return _lasting(environment) == self.environment

    def run(self, words: list[str], folder: Path, timeout: float) -> tuple[int, bytes, bytes]:
        """Return a command's exit code and what it wrote to standard output and standard error.

        Raises:
            subprocess.TimeoutExpired: it did not end in `timeout` seconds.
        """
        with tempfile.TemporaryFile() as request, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            request.write(json.dumps({"words": words, "folder": os.fspath(folder)}).encode())
            request.seek(0)
            socket.send_fds(self._calls, [b"."], [file.fileno() for file in (request, out, err)])
            self._calls.settimeout(timeout)
            try:
                answer = self._calls.recv(100)
            except TimeoutError:
                self.close()
                raise subprocess.TimeoutExpired(words, timeout) from None
            assert answer, "the process that forks the commands has ended"
            for stream in (out, err):
                stream.seek(0)
            return int(answer), out.read(), err.read()

    def close(self) -> None:
        """End the process, and a command that still runs."""
        self._calls.close()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _lasting(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name != HELD_OUT}
