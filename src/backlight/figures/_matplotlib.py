"""Import matplotlib regardless of the user's backend: figures are drawn to files, which need no window."""

import os
import sys
from contextlib import suppress

from backlight.core import ConfigError


def import_matplotlib() -> None:
    """Import matplotlib, even if MPLBACKEND names a backend that does not exist.

    Raises:
        ConfigError: the user's matplotlibrc is not text.
    """
    if "matplotlib" in sys.modules:
        return
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib as mpl
    except UnicodeDecodeError as error:
        raise ConfigError(
            "matplotlib's settings, a file called matplotlibrc, must be UTF-8 text; it cannot be read. Delete or "
            "correct it."
        ) from error
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend is not None:
        with suppress(ValueError):  # there is no such backend: matplotlib chooses one if a window is opened
            mpl.rcParams["backend"] = backend


import_matplotlib()
