"""What other processes may ask of a training that goes on: to pause, to go on, another learning rate, to stop.

A request is the file `control.json` of the run, which says what is wanted and not what to do, so that one that is read
late or twice does no harm. The loop looks at its date a few times a second, and at what it says only if that has
changed. A request from before the training began is ignored: a resumed run would wait for a page that is gone.
"""

import math
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from backlight.core import RunError
from backlight.runs import RunStore
from backlight.runs.store import CONTROL, STATE
from backlight.runs.strict_json import parse_object, to_bytes

_AGAIN = "Ask again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of a training.

    Attributes:
        pause_at: it pauses once this many steps are taken: 0 for at once; None to go on.
        lr: the peak learning rate, in place of the configured one; None leaves it as it is.
        stop: whether it is to save and stop.

    Raises:
        RunError: an attribute of the wrong type or out of range.
    """

    pause_at: int | None = None
    lr: float | None = None
    stop: bool = False

    def __post_init__(self) -> None:
        if self.pause_at is not None and (type(self.pause_at) is not int or self.pause_at < 0):
            raise RunError(f"pause_at must be a number of steps; got {self.pause_at!r:.40}. Give 0 to pause at once.")
        if self.lr is not None and not (type(self.lr) in {int, float} and 0 < self.lr < math.inf):
            raise RunError(f"lr must be a number above 0; got {self.lr!r:.40}. Try 0.001.")
        if type(self.stop) is not bool:
            raise RunError(f"stop must be true or false; got {self.stop!r:.40}.")

    @classmethod
    def from_json(cls, values: Any) -> "Request":
        """Return the request of an object in JSON.

        Raises:
            RunError: it is none.
        """
        known = {"pause_at", "lr", "stop"}
        if not isinstance(values, dict) or not values.keys() <= known:
            raise RunError(f"a request has the entries {', '.join(sorted(known))}; got {values!r:.60}.")
        return cls(**values)


def ask(run: RunStore, request: Request) -> None:
    """Ask something of the process that trains a run, in place of what was asked before.

    Raises:
        RunError: the file cannot be written.
    """
    run.write(CONTROL, to_bytes(asdict(request)))


class Control:
    """What others ask of the training of a run.

    Args:
        run: the run.
    """

    def __init__(self, run: RunStore) -> None:
        self._run = run
        self._seen = run.control_version()

    def news(self) -> Request | None:
        """Return a request that was not returned before; None if there is none.

        A file that holds no request asks for nothing: no training ends for what another process has written.
        """
        version = self._run.control_version()
        if version is None or version == self._seen:
            return None
        self._seen = version
        with suppress(RunError):
            return Request.from_json(parse_object(self._run.read(CONTROL, remedy=_AGAIN), CONTROL, remedy=_AGAIN))
        return None

    def tell(self, *, paused: bool, step: int) -> None:
        """Say that the training is paused, or goes on; see `paused_at`."""
        self._run.write(STATE, to_bytes({"paused": paused, "step": step}))


def paused_at(run: RunStore) -> int | None:
    """Return the step at which the training of a run said last that it is paused; None if it goes on.

    A training that was killed in its pause says nothing any more: ask also whether a process trains the run.
    """
    if not run.has(STATE):
        return None
    found = parse_object(run.read(STATE, remedy="Delete it"), STATE, remedy="Delete it")
    step = found.get("step")
    return step if found.get("paused") is True and type(step) is int else None
