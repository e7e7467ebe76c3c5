"""From measurements to a file."""

from collections.abc import Sequence
from pathlib import Path

from backlight.health import diagnose
from backlight.report.page import html_page
from backlight.report.pictures import drawings
from backlight.runs.atomic import write_atomically
from backlight.watch.records import Measurements


def report(seen: Measurements, *, title: str, facts: Sequence[tuple[str, str]] = ()) -> str:
    """Return the health report of a watched or examined network as one page of HTML, with all its pictures.

    Args:
        seen: what was measured, by a watcher or by `examine`; of a network of ours or of PyTorch's.
        title: what to call the network.
        facts: more about it, as pairs of what and how much.
    """
    known = [
        ("network", seen.model),
        ("parameters' tensors", f"{len(seen.parameters):,}"),
        ("steps", f"{seen.total_steps:,}"),
        ("recorded", f"{len(seen.steps):,}"),
    ]
    return html_page(diagnose(seen), drawings(seen), title=title, facts=[*facts, *known])


def write_report(seen: Measurements, path: Path, *, title: str, facts: Sequence[tuple[str, str]] = ()) -> None:
    """Write `report` to a file; an old one is replaced in one step.

    Raises:
        RunError: the disk refuses.
    """
    write_atomically(path, report(seen, title=title, facts=facts).encode())
