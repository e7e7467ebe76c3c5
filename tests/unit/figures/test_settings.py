"""A user's own settings of matplotlib: they neither change a figure nor keep it from being drawn."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from backlight.figures import LossCurves, loss

DRAW = """
import hashlib, numpy as np
from backlight.figures import LossCurves, loss
x = np.arange(5.0)
curves = LossCurves(steps=x, losses=x, smoothed=x, dev_steps=x, dev=x, uniform=3.0)
print(*(hashlib.sha256(loss(curves).to_bytes(kind)).hexdigest() for kind in ("png", "svg")))
"""

SETTINGS = {
    "LaTeX, which is not installed": "text.usetex: True",
    "other sizes and colours": "font.size: 30\naxes.facecolor: red\nlines.linewidth: 9\nsavefig.dpi: 20",
    "another font": "font.family: serif\nmathtext.fontset: stix",
    "hand-drawn lines": "path.sketch: 1, 100, 2",
    "another layout": "figure.autolayout: True\nfigure.constrained_layout.use: True",
    "another file": "savefig.transparent: True\nsavefig.bbox: standard\nsvg.fonttype: none\nsvg.hashsalt: mine",
    "ticks": "xtick.direction: in\nxtick.minor.visible: True\naxes.formatter.use_mathtext: True\naxes.grid: True",
    "no backend of this name": "backend: bogus",
}


def drawn(folder: Path, rc: str | bytes = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Draw a figure in a process that starts in a folder with a matplotlibrc."""
    (folder / "matplotlibrc").write_bytes(rc if isinstance(rc, bytes) else rc.encode())
    return subprocess.run(
        [sys.executable, "-c", DRAW], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def expected() -> str:
    x = np.arange(5.0)
    one = loss(LossCurves(steps=x, losses=x, smoothed=x, dev_steps=x, dev=x, uniform=3.0))
    return " ".join(hashlib.sha256(one.to_bytes(kind)).hexdigest() for kind in ("png", "svg")) + "\n"


@pytest.mark.parametrize("rc", SETTINGS.values(), ids=SETTINGS)
def test_a_matplotlibrc_changes_nothing(tmp_path: Path, rc: str, expected: str) -> None:
    done = drawn(tmp_path, rc)
    assert done.returncode == 0, done.stderr
    assert done.stdout == expected


@pytest.mark.parametrize("backend", ["bogus", "module://absent", "TkAgg"])
def test_no_window_is_needed(tmp_path: Path, backend: str, expected: str) -> None:
    done = drawn(tmp_path, MPLBACKEND=backend)
    assert done.returncode == 0, done.stderr
    assert done.stdout == expected


def test_a_matplotlibrc_that_is_no_text_is_refused_in_a_line(tmp_path: Path) -> None:
    done = drawn(tmp_path, b"\xff\xfe\xfa")
    assert "matplotlibrc, must be UTF-8 text" in done.stderr.splitlines()[-1]


def test_the_users_settings_are_as_before_and_so_is_the_backend() -> None:
    with mpl.rc_context({"font.size": 21, "axes.facecolor": "red"}):
        before = dict(mpl.rcParams)
        x = np.arange(5.0)
        loss(LossCurves(steps=x, losses=x, smoothed=x, dev_steps=x, dev=x)).to_bytes()
        assert dict(mpl.rcParams) == before
    code = "import backlight.figures, matplotlib, os; print(matplotlib.get_backend(), os.environ['MPLBACKEND'])"
    environment = {**os.environ, "MPLBACKEND": "svg"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "svg svg\n"
