"""The viewer in cells of JupyterLab and Notebook 7, in a real browser: of a finished run, and of one that goes on."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from tests.end_to_end.conftest import NAMES
from tests.end_to_end.driving import SLOW, Browser, Page, until

import backlight

TOKEN = "the-token-of-the-test"  # noqa: S105
ROOTS = (
    """[...document.querySelectorAll('[data-lm-suppress-shortcuts]')].map((one) => one.shadowRoot).filter(Boolean)"""
)
INKED = """(canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.some((one) => one);
}"""
SMALL = {"context": 2, "embedding": 2, "hidden": (4,), "batch_size": 8, "watch_every": 10, "progress": None}
LIVE = f"""
def wait(evaluation):
    while evaluation.step == 20 and not pathlib.Path("go").exists():
        time.sleep(0.01)
live = backlight.train({NAMES!r}, context=2, embedding=2, hidden=(4,), batch_size=8, watch_every=10, steps=40,
                       eval_interval=20, on_evaluation=wait, progress=backlight.view())
"""


class Jupyter:
    """A server of JupyterLab and Notebook 7."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "server.log"
        places = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0",
                    f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}", "--LabApp.news_url=",
                    "--LabApp.expose_app_in_browser=True", "--JupyterNotebookApp.expose_app_in_browser=True",
                ],
                cwd=folder, stdout=log, stderr=log, env={**os.environ, **places},
            )  # fmt: skip
        self.address = until(self._said, "the server of Jupyter began")

    def _said(self) -> str | None:
        assert self._process.poll() is None, self._log.read_text()
        found = re.search(r"(http://127\.0\.0\.1:\d+/)lab\?token=", self._log.read_text())
        return found and found[1]

    def end(self) -> None:
        """End the server and its kernels."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(SLOW)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("notebooks")
    backlight.train(
        NAMES, **SMALL, steps=30, eval_interval=15, keep_checkpoints=3, line="anna", run=made / "runs" / "first"
    )
    return made


@pytest.fixture(scope="module")
def jupyter(folder: Path) -> Iterator[Jupyter]:
    made = Jupyter(folder)
    yield made
    made.end()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("browser"))
    yield made
    made.close()


def write_notebook(path: Path, *cells: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


def run_all(page: Page) -> None:
    """Run all cells, once the kernel is there."""
    page.until("!!window.jupyterapp && jupyterapp.commands.hasCommand('notebook:run-all-cells')")
    page.until("document.querySelectorAll('.jp-CodeCell').length > 1")
    page.until("!!jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel")
    page.run("jupyterapp.commands.execute('notebook:run-all-cells'), 0")


def in_view(nth: int, script: str) -> str:
    """Return an expression about the nth viewer of the page, which is `view` in it."""
    return f"(({ROOTS})[{nth}] ? ((view) => {script})(({ROOTS})[{nth}]) : null)"


def state(nth: int) -> str:
    return in_view(nth, "view.querySelector('.state').textContent")


def own_errors(page: Page, address: str) -> list[str]:
    """Return what the console says of widgets, and requests to anybody else: Jupyter's own errors are not ours."""
    ours = re.compile(r"widget|backlight|blob:|jupyterlab-manager", re.IGNORECASE)
    foreign = [
        one for one in page.asked if not one.startswith((address, f"blob:{address}", address.replace("http", "ws")))
    ]
    return [*filter(ours.search, page.console), *foreign]


def outputs_of(path: Path, cell: int) -> dict[str, Any]:
    (output,) = [one for one in json.loads(path.read_text())["cells"][cell]["outputs"] if "data" in one]
    return dict(output["data"])


@pytest.mark.parametrize("host", ["lab", "notebook"])
def test_a_cell_shows_a_run_and_one_that_goes_on(folder: Path, jupyter: Jupyter, browser: Browser, host: str) -> None:
    (folder / "go").unlink(missing_ok=True)
    path = folder / f"{host}.ipynb"
    write_notebook(path, "import backlight, pathlib, time\nbacklight.view('first')", LIVE)
    address = f"{jupyter.address}{'lab/tree' if host == 'lab' else 'notebooks'}/{path.name}?token={TOKEN}"
    with browser.page(address) as page:
        run_all(page)
        assert page.until(state(0)).startswith("finished, step 30 of 30")
        page.until(in_view(1, "/^training, step 2\\d /.test(view.querySelector('.state').textContent)"))
        page.until(in_view(1, "view.querySelector('.timeline input').max === '20'"))
        assert page.run(in_view(0, "view.querySelector('.controls').parentElement.hidden")), "the kernel is busy"
        (folder / "go").touch()
        page.until(in_view(1, "view.querySelector('.state').textContent === 'finished, step 40 of 40'"))
        page.until(in_view(0, "!view.querySelector('.controls').parentElement.hidden"))
        assert page.run(in_view(1, "view.querySelector('.controls').parentElement.hidden")), "it has no folder"

        page.run(in_view(0, "(view.querySelector('.timeline input').focus(), 0)"))
        page.press("Home")
        page.until(in_view(0, "view.querySelector('.where-now').textContent === 'step 0 of 30'"))
        page.press("ArrowRight")
        page.until(in_view(0, "view.querySelector('.where-now').textContent !== 'step 0 of 30'"))
        unit = "view.querySelector('.units')"
        page.run(in_view(0, f"({unit}.focus(), 0)"))
        page.press("End")
        page.until(in_view(0, f"{unit}.getAttribute('aria-valuenow') === {unit}.getAttribute('aria-valuemax')"))
        assert page.run(in_view(0, f"({INKED})(view.querySelector('.plot canvas'))")), "the curve of the loss is drawn"
        assert page.run("document.querySelectorAll('.jp-CodeCell').length") == 2, "the notebook heard none of the keys"

        page.run("jupyterapp.commands.execute('docmanager:save').then(() => 0)")
        saved = outputs_of(path, 0)
        assert saved["text/plain"] == ["<the viewer of first; displayed in a notebook>"]
        assert "<img" in "".join(saved["text/html"])
        assert "application/vnd.jupyter.widget-view+json" in saved
        if host == "lab":
            branched_in_the_dark(page)
        assert own_errors(page, jupyter.address) == []


def branched_in_the_dark(page: Page) -> None:
    """Another theme, which the viewer follows, and a branch of the run that the first one shows."""
    paper = in_view(0, "getComputedStyle(view.querySelector('.backlight-notebook')).backgroundColor")
    assert page.run(paper) == "rgb(255, 255, 255)"
    page.run("jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })")
    page.until(f"{paper} === 'rgb(13, 17, 23)'")
    page.run(in_view(0, """((list) => {
      list.value = "15";
      list.dispatchEvent(new Event("change"));
    })(view.querySelector("[aria-label='checkpoint to branch from']"))"""))  # fmt: skip
    branch = "[...view.querySelectorAll('button')].find((one) => one.textContent === 'Branch from step 15')"
    page.until(in_view(0, f"!!{branch}"))
    page.run(in_view(0, f"({branch}.click(), 0)"))
    page.until(in_view(0, "view.querySelector('.run-name').textContent === 'first-at-15-1'"))
    page.until(in_view(0, "view.querySelector('.state').textContent === 'finished, step 30 of 30'"))
    facts = page.run(in_view(0, "view.querySelector('.facts').textContent"))
    assert "branch offirst at step 15" in facts
    assert page.run(in_view(0, "[...view.querySelector('.bar select').options].map((one) => one.value)")) == [
        "first", "first-at-15-1",
    ]  # fmt: skip
