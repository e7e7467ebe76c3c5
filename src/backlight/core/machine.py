"""A description of the machine, for tables of measured times."""

import os
import platform
from pathlib import Path


def processor() -> str:
    """Return the processor's name, as the operating system reports it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine() -> str:
    """Return a line that describes the machine, for the footer of a table."""
    return f"{cores()} cores of {processor()}, {platform.system()}, Python {platform.python_version()}"
