"""Compiles the kernels when the package is installed or built, if there is a C compiler; without one NumPy does all.

`BACKLIGHT_PURE=1` leaves them out, for the wheel that every machine can install.
"""

import os
import platform
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from sysconfig import get_platform
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SCRIPT = Path(__file__).parent / "src/backlight/autograd/native/building.py"


class KernelsHook(BuildHookInterface):
    """Puts the compiled kernels into the wheel, which then is for one platform; an editable install keeps them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the kernels, or say why the package will be without them."""
        if os.environ.get("BACKLIGHT_PURE") == "1":
            return
        spec = spec_from_file_location("building", SCRIPT)
        building = module_from_spec(spec)
        spec.loader.exec_module(building)
        parts = {
            "without compiled kernels, NumPy does all the work": (building.build, building.LIBRARY),
            "the class Value is the one in Python": (building.build_value, building.VALUE_LIBRARY),
        }
        for instead, (build, library) in parts.items():
            try:
                build()
            except (OSError, subprocess.CalledProcessError) as error:
                self.app.display_warning(f"{instead}: {error}")
                continue
            if version == "standard":
                place = Path("backlight", library.relative_to(SCRIPT.parents[2]))
                build_data["force_include"][str(library)] = str(place)
                build_data["pure_python"] = False
                build_data["tag"] = f"py3-none-{_platform_tag()}"


def _platform_tag() -> str:
    """Return the machine's tag: any Python 3 does.

    The kernels know nothing of Python. The class Value uses the interface that is the same in every CPython from 3.11
    on; another Python does not load it, and uses the class in Python.
    """
    # a Python for macOS may be for two processors, where the compiler builds for one
    name = get_platform().replace("universal2", platform.machine())
    return name.replace("-", "_").replace(".", "_")
