"""Samples in a file: text, CSV or JSON lines, by the ending of its name."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from backlight.cli.output import marked, separated
from backlight.core import ConfigError
from backlight.runs.atomic import write_atomically
from backlight.runs.failures import cannot_write
from backlight.sample import Sample


def write_samples(path: Path, samples: Sequence[Sample], *, ends: bool) -> None:
    """Write samples to a file, which is replaced if it exists. Nothing is left half-written.

    Text has a sample on each line, or a blank line between samples of several lines. CSV and JSON lines have its
    "text", its "nats" and whether it "ended".

    Args:
        path: the file, with one of the endings of `FORMATS`.
        samples: the samples.
        ends: whether the model is one of items; running text is never cut off.

    Raises:
        ConfigError: another ending.
        RunError: the file cannot be written.
    """
    write = writer(path)
    try:
        write_atomically(path, write(samples, ends).encode())
    except OSError as error:
        raise cannot_write(path, error, state="nothing was written") from error


def writer(path: Path) -> Callable[[Sequence[Sample], bool], str]:
    """Return what writes samples as the ending of a file's name says. Raises ConfigError for another ending."""
    write = FORMATS.get(path.suffix.lower())
    if write is None:
        raise ConfigError(
            f"samples can be written as {', '.join(FORMATS)}; got {path.name!r}. Give the file one of these endings."
        )
    return write


def _text(samples: Sequence[Sample], ends: bool) -> str:
    return separated([marked(one, ends=ends) for one in samples])


def _csv(samples: Sequence[Sample], ends: bool) -> str:
    del ends
    made = io.StringIO(newline="")
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(["text", "nats", "ended"])
    writer.writerows([one.text, f"{one.nats:.6g}", str(one.ended).lower()] for one in samples)
    return made.getvalue()


def _json_lines(samples: Sequence[Sample], ends: bool) -> str:
    del ends
    rows = ({"text": one.text, "nats": one.nats, "ended": one.ended} for one in samples)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


FORMATS: Final[dict[str, Callable[[Sequence[Sample], bool], str]]] = {
    ".txt": _text, ".csv": _csv, ".jsonl": _json_lines,
}  # fmt: skip
"""What writes samples, by the ending of the file's name."""
