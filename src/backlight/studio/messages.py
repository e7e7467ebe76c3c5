"""The messages that a viewer draws: JSON objects, which docs/viewer_messages.md describes.

Every host sends the same ones: the live server over a socket, a report inside its page. Lines of the record stream go
into a message as they are, without being parsed.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

from backlight.health.diagnosis import Diagnosis
from backlight.health.text import summary
from backlight.runs.strict_json import plain
from backlight.watch.records_json import to_json

VERSION: Final = 1
"""The version of the messages, which is raised when an older viewer could no longer draw them."""

State = Literal["training", "paused", "stopped", "finished", "waiting", "watched"]


def hello(
    *, title: str, facts: Iterable[tuple[str, str]] = (), total_steps: int | None = None, live: bool = False
) -> bytes:
    """Return the first message: the page forgets what it had.

    Args:
        title: the name of the run.
        facts: more about it, as pairs of a name and a value.
        total_steps: how many steps the training will have; None if that is not known.
        live: whether more messages may follow.
    """
    return _encoded({
        "type": "hello", "version": VERSION, "title": title, "facts": [list(one) for one in facts],
        "total_steps": total_steps, "live": live,
    })  # fmt: skip


def records(lines: Sequence[bytes]) -> bytes:
    """Return a message with lines of the record stream (docs/record_stream.md)."""
    return b'{"type":"records","records":[' + b",".join(line.rstrip(b"\n") for line in lines) + b"]}"


def samples(step: int, texts: Sequence[str]) -> bytes:
    """Return a message with what a model wrote after `step` steps."""
    return _encoded({"type": "samples", "step": step, "samples": list(texts)})


def diagnosis(step: int, found: Diagnosis, *, titles_only: bool = False) -> bytes:
    """Return a message with what the doctor says of a training up to a step, in place of later ones.

    Args:
        step: how many steps had been taken.
        found: what it says.
        titles_only: leave out numbers, reasons and advice, for a page that has them elsewhere.
    """
    entries = {"id", "severity", "title", "where"} if titles_only else None
    findings = [
        {name: value for name, value in to_json(one).items() if entries is None or name in entries}
        for one in found.findings
    ]
    return _encoded({"type": "diagnosis", "step": step, "summary": summary(found), "findings": findings})


def checkpoints(steps: Sequence[int], size: int) -> bytes:
    """Return a message with the steps from which the training can be branched, in place of those before.

    Args:
        steps: in ascending order.
        size: the bytes of the kept checkpoints together.
    """
    return _encoded({"type": "checkpoints", "steps": list(steps), "bytes": size})


def curves(name: str, lines: Sequence[bytes], *, scale: float, live: bool) -> bytes:
    """Return a message with the losses of another run, in place of those that the page has of it.

    Args:
        name: the other run.
        lines: of the record stream, of the types loss and evaluation.
        scale: what its losses are multiplied by to be in the units of the run that is shown.
        live: whether more may follow.
    """
    head = json.dumps({"type": "curves", "name": name, "scale": scale, "live": live}, separators=(",", ":"))
    return head[:-1].encode() + b',"records":[' + b",".join(line.rstrip(b"\n") for line in lines) + b"]}"


def state(state: State, step: int, about: str = "") -> bytes:
    """Return a message about the process that trains.

    Args:
        state: what it does.
        step: how many steps it has taken.
        about: a sentence for the reader, such as the reason for which it stopped.
    """
    return _encoded({"type": "state", "state": state, "step": step, "about": about})


def problem(text: str) -> bytes:
    """Return a message about something that keeps the host from sending more."""
    return _encoded({"type": "problem", "text": text})


def joined(messages: Iterable[bytes]) -> bytes:
    """Return messages as one JSON array, as a host hands them to the viewer."""
    return b"[" + b",".join(messages) + b"]"


def _encoded(message: dict[str, Any]) -> bytes:
    return json.dumps(plain(message), allow_nan=False, separators=(",", ":")).encode()
