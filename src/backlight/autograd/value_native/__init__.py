"""`Value` in C: the class that `backlight.Value` is if there was a C compiler, and NumPy-free loops over many Values.

    value.h      the struct of a node, how it is made and freed
    ops.h        arithmetic and functions
    backward.h   the backward pass
    module.c     the extension module `_values`

The reference is the class in `autograd/value.py`; a test compares the two bit by bit. `autograd/native/building.py`
compiles the module at installation or when it is run. Without it, or with `BACKLIGHT_NATIVE=0`, Python does the work.
"""

import os
import zlib
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any, Final

SWITCH: Final = "BACKLIGHT_NATIVE"
"""The environment variable that turns all compiled code off if it is 0."""

_HERE = Path(__file__).parent
_LIBRARY = _HERE / "_values.so"


def _load() -> Any:
    """Return the module `_values`; None if it was not built, was built from other sources, or is turned off."""
    if os.environ.get(SWITCH) == "0" or not _LIBRARY.is_file():
        return None
    loader = ExtensionFileLoader(f"{__name__}._values", str(_LIBRARY))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None  # noqa: S101  (there is a loader)
    try:
        loaded = module_from_spec(spec)
        loader.exec_module(loaded)
    except ImportError:  # built for another processor, system or Python
        return None
    sources = sorted(_HERE.glob("*.[ch]"))
    fingerprint = zlib.crc32(b"".join(source.read_bytes() for source in sources)) >> 1
    return loaded if fingerprint == loaded.FINGERPRINT else None


compiled: Final[Any] = _load()
"""The module `_values`, or None."""
