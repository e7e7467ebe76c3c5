"""The command line where everything is hidden or refused that Windows does not have: `python windows.py train ...`.

Nothing here is Windows; it is Linux without what is missing there. The libraries are imported first and left alone.
"""

import errno
import fcntl
import os
import re
import shutil
import signal
import sys
import types
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

LIBRARIES = (
    "matplotlib.pyplot", "multiprocessing.popen_spawn_posix", "multiprocessing.resource_tracker", "numpy", "pooch",
    "rich.console", "rich.live", "rich.progress", "safetensors.numpy", "threadpoolctl", "typer",
)  # fmt: skip
MODULES = ("fcntl", "termios", "tty", "pty", "pwd", "grp", "resource", "posix_ipc", "syslog")
CALLS = (
    "pread", "pwrite", "fork", "forkpty", "getuid", "geteuid", "seteuid", "killpg", "getpgid", "setsid", "mkfifo",
    "fchmod", "sched_getaffinity", "statvfs", "uname", "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_SYNC",
)  # fmt: skip
SIGNALS = ("SIGKILL", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGWINCH", "SIGCHLD")
RESERVED = re.compile(r'(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$|[<>:"|?*\x00-\x1f]|[. ]$')


def _hide_names() -> None:
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    for name in CALLS:
        if hasattr(os, name):
            delattr(os, name)
    for name in SIGNALS:
        delattr(signal, name)


def _msvcrt() -> types.ModuleType:
    module = types.ModuleType("msvcrt")
    flock, lock_now = fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB

    def locking(descriptor: int, mode: int, count: int) -> None:
        assert (mode, count) == (2, 1)
        try:
            flock(descriptor, lock_now)
        except BlockingIOError:
            raise PermissionError(errno.EACCES, "Permission denied") from None

    module.LK_NBLCK, module.locking = 2, locking  # type: ignore[attr-defined]
    return module


def _opened() -> set[str]:
    """Return what this process has open."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found.add(str(descriptor.readlink()))
        except FileNotFoundError:  # the listing's own
            continue
    return found


def _check_name(path: Any) -> None:
    if RESERVED.search(Path(path).name):
        raise OSError(errno.EINVAL, "Invalid argument", str(path))


def _refusing_open_files(name: str) -> None:
    real: Callable[..., Any] = getattr(os, name)

    def call(*paths: Any, **keywords: Any) -> Any:
        _check_name(paths[-1])
        for path in paths:
            whole = str(Path(path).absolute())
            if any(one == whole or one.startswith(f"{whole}/") for one in _opened()):
                raise PermissionError(
                    errno.EACCES, "The process cannot access the file because it is being used", str(path)
                )
        return real(*paths, **keywords)

    setattr(os, name, call)


def _refusing_names(name: str) -> None:
    real: Callable[..., Any] = getattr(os, name)

    def call(path: Any, *arguments: Any, **keywords: Any) -> Any:
        _check_name(path)
        if name == "open" and Path(path).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *arguments, **keywords)

    setattr(os, name, call)


def hide() -> None:
    """Hide and refuse what Windows does not have or allow, in this process."""
    for name in LIBRARIES:
        import_module(name)
    shutil._use_fd_functions = False  # type: ignore[attr-defined]  # removes folders by their names, as on Windows
    _hide_names()
    sys.modules["msvcrt"] = _msvcrt()
    for name in ("rename", "replace", "unlink", "remove", "rmdir"):
        _refusing_open_files(name)
    for name in ("open", "mkdir"):
        _refusing_names(name)
    warnings.filterwarnings("error", category=EncodingWarning, module="backlight")


def main() -> None:
    """Run the command line."""
    hide()
    from backlight.cli import main as run
    from backlight.runs.locking import WINDOWS

    assert WINDOWS
    run()


if __name__ == "__main__":
    main()
