"""Write the reference pages that are made from the sources alone: docs/{ops,record_stream,health_json}.md.

python scripts/make_references.py
"""

import inspect
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from backlight.autograd import OPS, Op
from backlight.health import Finding
from backlight.health.findings import SEVERITIES
from backlight.health.json_output import SCHEMA as HEALTH_SCHEMA
from backlight.health.json_output import HealthOutput
from backlight.watch.records import Measurements
from backlight.watch.records_json import DIGITS
from backlight.watch.stream import SCHEMA, TYPES

DOCS = Path(__file__).parents[1] / "docs"


def ops() -> str:
    """Return docs/ops.md: every op by family, with its formula."""
    lines = [
        "# The ops",
        "",
        f"Written by `make docs`. There are {len(OPS)}; each has its formula, forward and backward in one class of",
        "`backlight/autograd/ops`, and is checked against PyTorch and central differences (`backlight gradcheck`).",
    ]
    families: dict[str, list[type[Op]]] = {}
    for op in OPS.values():
        families.setdefault(op.__module__.rpartition(".")[2], []).append(op)
    for family, members in families.items():
        lines += ["", f"## {family}", "", "| op | formula |", "|---|---|"]
        lines += [f"| `{op.name}` | {op.formula.replace('|', chr(92) + '|')} |" for op in members]
    return "\n".join(lines) + "\n"


STREAM_INTRODUCTION = """\
# The record stream

Written by `make docs`. `watch(model, record_to=PATH)` and `backlight train --health` append what they measure to a file
of JSON lines. `backlight health PATH` and `backlight.watch.stream_reader.read_stream(path)` read it.

- Every line is one JSON object in UTF-8. Its `type` says which of the tables below lists its other entries.
- The first line has the type `start` and the version of the format, `schema`: this page describes version {schema}. The
  version is raised when older readers can no longer read newer files.
- Lines are only appended, each in one piece, and never changed. A file can be read while it grows; a last line without
  a line end is still being written and is left out.
- An entry at its default is left out. A float that is not finite is the string `"NaN"`, `"Infinity"` or `"-Infinity"`,
  which both Python's `float` and JavaScript's `Number` read. Floats have {digits} significant digits.
- A training that is resumed first removes the lines that it will write again, so its file ends like that of a training
  that was never interrupted.
- What a watcher could not measure is a line of the type `not_measured` with the reason.
"""


def record_stream() -> str:
    """Return docs/record_stream.md: the types of lines, and the entries of each."""
    lines = [STREAM_INTRODUCTION.format(schema=SCHEMA, digits=DIGITS)]
    nested: list[type] = []
    for type_, record in TYPES.items():
        lines += [f"## `{type_}`", "", summary(record), "", *entries(record, nested)]
    for record in nested:  # grows while it is read
        lines += [f"## {record.__name__}", "", summary(record), "", *entries(record, nested)]
    return "\n".join(lines).rstrip() + "\n"


HEALTH_JSON_INTRODUCTION = """\
# The object of `backlight health --json`

Written by `make docs`. `backlight health --json` prints one JSON object on the last line of standard output; everything
else goes to standard error. This page describes version {schema} of the object, which is its entry `schema`. It is
raised when an entry is renamed, is removed or changes its meaning. New entries may come without that.

- A number that is not finite is null. Tuples are lists.
- The exit code is 0; 1 for input that cannot be used, with one line on standard error and no object; 2 if there is a
  finding of the severity of `--fail-on` or of a worse one, with the object.
- From worst to least, severities are {severities}.
"""


def health_json() -> str:
    """Return docs/health_json.md: the entries of what the command prints."""
    lines = [HEALTH_JSON_INTRODUCTION.format(schema=HEALTH_SCHEMA, severities=", ".join(SEVERITIES))]
    nested: list[type] = [HealthOutput]
    for record in nested:  # grows while it is read
        lines += [f"## {record.__name__}", "", summary(record), "", *entries(record, nested)]
        if record is Finding:
            lines[-1:] = [f"| `lesson` | `str` | {escaped(inspect.getdoc(Finding.lesson) or '')} |", ""]
    return "\n".join(lines).rstrip() + "\n"


def summary(record: type) -> str:
    """Return the first paragraph of a class's docstring, as one line."""
    return " ".join(inspect.cleandoc(record.__doc__ or "").partition("\n\n")[0].split())


def entries(record: Any, nested: list[type]) -> list[str]:
    """Return the table of a dataclass's fields, and add to `nested` the dataclasses that they hold."""
    described = descriptions(record)
    hints = get_type_hints(record)
    rows = ["| entry | type | |", "|---|---|---|"]
    for field in fields(record):
        for part in [hints[field.name], *get_args(hints[field.name])]:
            if is_dataclass(part) and part not in nested:
                nested.append(part)
        kind = field.type.__name__ if isinstance(field.type, type) else re.sub(r"\b(\w+\.)+(?=\w)", "", str(field.type))
        kind = re.sub(r"^Optional\[(.*)\]$", r"\1 | None", kind)
        about = described[field.name]
        if about == "see `Measurements`.":
            about = descriptions(Measurements)[field.name]
        rows.append(f"| `{field.name}` | `{escaped(kind)}` | {escaped(about)} |")
    return [*rows, ""]


def escaped(text: str) -> str:
    """Return a text for a cell of a table."""
    return text.replace("|", "\\|")


def descriptions(record: type) -> dict[str, str]:
    """Return what a dataclass's docstring says of each attribute."""
    described: dict[str, str] = {}
    attributes = inspect.cleandoc(record.__doc__ or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    for entry in re.split(r"\n    (?=\S)", "\n" + attributes)[1:]:
        names, _, text = entry.partition(": ")
        described |= {name: " ".join(text.split()) for name in names.split(", ")}
    return described


def pages() -> dict[Path, str]:
    """Return the text of each page, by its path."""
    return {
        DOCS / "ops.md": ops(),
        DOCS / "record_stream.md": record_stream(),
        DOCS / "health_json.md": health_json(),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
