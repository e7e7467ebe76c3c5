"""The widget. Only this module imports anywidget, and it is imported only where a widget is displayed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import anywidget
import traitlets
from IPython.display import display

from backlight.core import BacklightError, RunError
from backlight.studio.asked import Asked
from backlight.studio.assets import VIEWER
from backlight.studio.displayed import with_still
from backlight.studio.notebook.following import Following
from backlight.studio.notebook.still import Still
from backlight.studio.recording import RunRecording
from backlight.training import Run

_STYLE: Final = "".join(VIEWER.content(name).decode() for name in ("viewer.css", "studio.css"))


class RecordingWidget(anywidget.AnyWidget):
    """The viewer of a training in a notebook, see `backlight.view`.

    Args:
        recording: the training; None for one that `follow` is called with later.

    Attributes:
        recording: the messages for the viewer so far.
        parts: number of the last part, of those that are sent while a training goes on, that is in `recording`.
        name: of the run that is shown.
        sheets: the viewer's style sheets.
    """

    _esm = VIEWER.one_module("notebook.js")

    recording = traitlets.Bytes(b"").tag(sync=True)
    parts = traitlets.Int(0).tag(sync=True)
    name = traitlets.Unicode("").tag(sync=True)
    sheets = traitlets.Unicode(_STYLE).tag(sync=True)

    def __init__(self, recording: RunRecording | None = None) -> None:
        self._following: Following | None = None
        self._asked: Asked | None = None
        self._names: list[str] = []
        self._is_displayed = False
        super().__init__()
        self.on_msg(self._on_ask)
        if recording is not None:
            self.follow(recording)

    def follow(self, recording: RunRecording) -> None:
        """Show a training and what it records from here on, in place of another one.

        Raises:
            BacklightError: its files are damaged.
        """
        told = 0
        if self._following is not None:
            self._following.end()
            told = self._following.part
        path = recording.path.absolute()
        if self._asked is None and recording.in_folder:
            self._asked = Asked(path.parent, path)
        if path.name not in self._names:
            self._names.append(path.name)
        self.name = path.name
        self._following = Following(recording, self._tell, self._keep, first=told)
        self._following.begin()

    @contextmanager
    def showing(self, run: Run) -> Iterator[None]:
        """Show a run while the block trains it, for `backlight.train(..., progress=backlight.view())`."""
        recording = RunRecording(run.store, trained=True)
        self.follow(recording)
        if not self._is_displayed:
            display(self)  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            recording.trained = False

    def _tell(self, part: int, found: bytes) -> None:
        self.send({"part": part}, [found])

    def _keep(self, part: int, whole: bytes) -> None:
        with self.hold_sync():
            self.parts, self.recording = part, whole

    def _on_ask(self, _: Any, content: Any, __: Any) -> None:
        """Answer a page. What it may ask is in docs/viewer_messages.md, and what only a notebook is asked, here."""
        answer: dict[str, Any] = {"answer": content.get("ask")}
        try:
            answer["found"] = self._answer(str(content.get("address")), content.get("body"))
        except (BacklightError, OSError) as error:
            answer["problem"] = str(error)
        self.send(answer)

    def _answer(self, address: str, body: Any) -> Any:
        if address == "./here":
            if self._following is not None:
                self._following.catch_up(body["parts"])
        elif self._asked is None:
            raise RunError("only a run in a folder can be asked anything. Train with run=FOLDER.")
        elif address == "./show":
            self.follow(RunRecording(self._asked.path(body["name"])))
        else:
            found = self._asked.answer(address, body)
            if address.endswith("/resume") and self._following is not None:
                self.follow(self._following.recording)
            return found
        return {"asked": self._asked is not None, "names": self._names}

    @property
    def _still(self) -> Still:
        return Still(None if self._following is None else self._following.recording)

    def __repr__(self) -> str:
        return repr(self._still)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Return the widget and, for where widgets are not displayed, a still of the training."""
        self._is_displayed = True
        return with_still(
            super()._repr_mimebundle_(**kwargs),
            text=repr(self),
            still=self._still._repr_html_(),
        )
