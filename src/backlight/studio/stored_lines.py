"""The lines of a file of a run in memory, which only grows while the run is trained."""

from dataclasses import dataclass, field

from backlight.runs import RunStore
from backlight.studio.line_index import thinned


@dataclass
class StoredLines:
    """The whole lines of a file of a run; none while it has no such file.

    Attributes:
        run: the run.
        name: of the file.
    """

    run: RunStore
    name: str
    _lines: list[bytes] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._lines)

    def grow(self) -> bool:
        """Read what has been appended. Return False if the lines so far have changed."""
        data = self.run.read(self.name, remedy="Train again") if self.run.has(self.name) else b""
        lines = data[: data.rfind(b"\n") + 1].splitlines()
        if lines[: self.count] != self._lines:
            return False
        self._lines = lines
        return True

    def lines(self, since: int = 0, *, share: float = 1.0) -> list[bytes]:
        """Return the lines from the `since`-th on, some types thinned, to a share of what a page gets at most."""
        return thinned(self._lines[since:], share)
