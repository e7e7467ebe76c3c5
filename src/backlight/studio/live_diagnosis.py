"""The doctor of a training that goes on: it looks again when there is something new, but not all the time."""

import time
from collections.abc import Sequence
from itertools import pairwise
from threading import Lock
from typing import Final

from backlight.health.diagnosis import Diagnosis, diagnose
from backlight.health.over_time import over_time
from backlight.studio import messages
from backlight.studio.line_index import thinned
from backlight.watch.stream_reader import parse

REST: Final = 40
"""After a look, the doctor rests for this many times the seconds that it took, so that it costs about 2 %."""

MOST_TOLD: Final = 400
"""Diagnoses that are kept; of more, every second goes that has the same findings as the one before it."""


class LiveDiagnosis:
    """What the doctor says of a training as it goes on.

    Args:
        name: what to call the recording in a message.

    Attributes:
        told: the messages so far, thinned where the findings stay the same.
    """

    def __init__(self, name: str) -> None:
        self.told: list[bytes] = []
        self._name = name
        self._lines: list[bytes] = []
        self._new: list[bytes] = []
        self._taking = Lock()  # lines come from another thread than the one that looks
        self._said: list[Diagnosis] = []
        self._rested = 0.0

    def take(self, lines: Sequence[bytes]) -> None:
        """Take in new lines of the record stream."""
        with self._taking:
            self._new += lines

    @property
    def is_up_to_date(self) -> bool:
        """Whether no line waits for the next look."""
        return not self._new

    def look(self) -> list[bytes]:
        """Return what the doctor says now; nothing if there is nothing new, or it rests.

        Raises:
            DataError: a line is damaged.
        """
        began = time.monotonic()
        if not self._new or began < self._rested:
            return []
        with self._taking:
            new, self._new = self._new, []
        self._lines = thinned([*self._lines, *new])
        seen = parse(b"".join(line.rstrip() + b"\n" for line in self._lines), self._name)
        history = over_time(seen) if not self.told else [(seen.total_steps, diagnose(seen))]
        found = [self._tell(step, one) for step, one in history]
        self._rested = time.monotonic() + REST * (time.monotonic() - began)
        return found

    def _tell(self, step: int, diagnosis: Diagnosis) -> bytes:
        message = messages.diagnosis(step, diagnosis)
        self.told.append(message)
        self._said.append(diagnosis)
        if len(self.told) > MOST_TOLD:
            changed = [one.findings != before.findings for before, one in pairwise(self._said)]
            kept = [place for place in range(len(self.told)) if place % 2 == 0 or changed[place - 1]]
            self.told = [self.told[place] for place in kept]
            self._said = [self._said[place] for place in kept]
        return message
