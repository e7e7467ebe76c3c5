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
        try:
            building.build_value()
        except (OSError, subprocess.CalledProcessError) as error:
            self.app.display_warning(f"the class Value will be the one in Python: {error}")
        else:
            if version == "standard":
                home = "backlight/autograd/value_native/_values.so"
                build_data["force_include"][str(building.VALUE_LIBRARY)] = home
        try:
            building.build()
        except (OSError, subprocess.CalledProcessError) as error:
            self.app.display_warning(f"without compiled kernels, NumPy does all the work: {error}")
            return
        if version == "standard":
            build_data["force_include"][str(building.LIBRARY)] = "backlight/autograd/native/_kernels.so"
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
