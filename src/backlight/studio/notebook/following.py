"""A training that goes on, for a widget: a thread of the kernel looks at what is recorded, also while a cell runs."""

from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Final

from backlight.core import BacklightError
from backlight.studio import messages
from backlight.studio.recording import RunRecording

POLL_SECONDS: Final = 0.5
LEAST_KEPT_BYTES: Final = 50_000
"""What has been told in parts is kept as a whole once it is as much as the whole before, and at least this much."""

Take = Callable[[int, bytes], None]


class Following:
    """Tells a widget what is recorded of a training until that is over.

    A kernel that runs a cell hears nothing of its pages. So a page that was not there from the start, or missed a part,
    gets the whole recording without asking for it: as often as it has doubled, and at the end.

    Args:
        recording: the training.
        tell: takes the number of a part and its messages, as JSON.
        keep: takes the number of the last part that a whole recording has, and the whole.
        first: number of the last part that the page was told before, of any training.

    Attributes:
        part: number of the last part.
    """

    def __init__(self, recording: RunRecording, tell: Take, keep: Take, *, first: int = 0) -> None:
        self.recording = recording
        self._tell, self._keep = tell, keep
        self.part = first
        self._kept = self._told = 0  # bytes: of the last whole, and of the parts since
        self._problem = ""
        self._looking = Lock()
        self._ended = Event()

    def begin(self) -> None:
        """Tell everything so far, and what comes from a thread.

        Raises:
            BacklightError: a file is damaged.
            OSError: a file cannot be read.
        """
        self.recording.news()
        self.part += 1
        self._whole()
        Thread(target=self._follow, name=f"viewer of {self.recording.path.name}", daemon=True).start()

    def end(self) -> None:
        """Tell no more."""
        with self._looking:
            self._ended.set()

    def catch_up(self, part: int) -> None:
        """Tell everything again if a page has only what there was up to this part."""
        with self._looking:
            if part < self.part:
                self._whole()

    def look(self) -> bool:
        """Tell what is new. Return whether there was anything."""
        with self._looking:
            if self._ended.is_set():
                return False
            found = self._news()
            if found is None:
                self.part += 1
                self._whole()
            elif found:
                self.part += 1
                part = messages.joined(found)
                self._told += len(part)
                self._tell(self.part, part)
                if self._told > max(self._kept, LEAST_KEPT_BYTES):
                    self._whole()
            return found != []

    def _news(self) -> list[bytes] | None:
        try:
            found, problem = self.recording.news(), ""
            if found is not None:
                found += self.recording.diagnose()
        except (BacklightError, OSError) as error:
            found, problem = [], str(error)
        if problem != self._problem:
            self._problem = problem
            found = [*(found or []), messages.problem(problem)]
        return found

    def _whole(self) -> None:
        whole = messages.joined(self.recording.whole())
        self._kept, self._told = len(whole), 0
        self._keep(self.part, whole)

    def _follow(self) -> None:
        while True:
            is_over = self.recording.is_over  # before the look, which so sees the end
            if not self.look() and is_over and self.recording.is_diagnosed:
                break
            if self._ended.wait(POLL_SECONDS):
                return
        with self._looking:
            if self._told and not self._ended.is_set():
                self._whole()
