"""The folder of a run as the processes see it that train it together with the one that writes."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from backlight.runs.directory import RunDirectory


class FollowedRun(RunDirectory):
    """A run whose files are read here and written by another process. What is written here is dropped."""

    @classmethod
    def follow(cls, path: str | Path) -> "FollowedRun":
        """Open a run that another process writes.

        Raises:
            RunError: there is no run, or it is damaged.
        """
        found = RunDirectory.open(path)
        return cls(found.config, found.vocabulary, path=found.path)

    def lock(self) -> AbstractContextManager[None]:
        """Return nothing to hold: the process that writes holds the lock."""
        return nullcontext()

    def write(self, name: str, data: bytes) -> None:
        """Do nothing."""

    def append(self, name: str, data: bytes) -> None:
        """Do nothing."""

    def control_version(self) -> object:
        """Return None: the process that writes reads what is asked of the training."""
        return None
