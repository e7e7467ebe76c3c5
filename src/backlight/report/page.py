"""The report: one self-contained HTML file, for screens in a light or dark theme and for print."""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from backlight.figures import FIGURES, NoFigureError
from backlight.health import Diagnosis, Evidence, Finding, diagnose
from backlight.health.explained import explained, lessons_on
from backlight.health.findings import number
from backlight.health.text import details, summary
from backlight.report.style import STYLE
from backlight.runs.atomic import write_atomically
from backlight.watch.records import Measurements

_NAMES = 12
"""The maximum number of layer or parameter names that a finding shows."""


def report(measured: Measurements, *, title: str, facts: Sequence[tuple[str, str]] = ()) -> str:
    """Return the health report of a watched or examined network as one HTML page, with all its figures.

    Args:
        measured: measurements of a watcher or of `examine`, for a network of this package or of PyTorch.
        title: the name of the network.
        facts: more about the network, as pairs of a name and a value.
    """
    known = [
        ("network", measured.model),
        ("parameter tensors", f"{len(measured.parameters):,}"),
        ("steps", f"{measured.total_steps:,}"),
        ("recorded steps", f"{len(measured.steps):,}"),
    ]
    return html_page(diagnose(measured), figure_images(measured), title=title, facts=[*facts, *known])


def write_report(measured: Measurements, path: Path, *, title: str, facts: Sequence[tuple[str, str]] = ()) -> None:
    """Write the page of `report` to a file; an old file of that name is replaced in one step.

    Args:
        measured: measurements of a watcher or of `examine`.
        path: the file.
        title: the name of the network.
        facts: more about the network, as pairs of a name and a value.

    Raises:
        RunError: the file cannot be written.
    """
    write_atomically(path, report(measured, title=title, facts=facts).encode())


@dataclass(frozen=True)
class FigureImages:
    """A figure as the bytes of two PNG files.

    Attributes:
        about: what it shows, in one line.
        light: the PNG file for a light background.
        dark: the PNG file for a dark background.
    """

    about: str
    light: bytes
    dark: bytes


def figure_images(measured: Measurements) -> dict[str, FigureImages]:
    """Return every figure that can be drawn from the measurements, by name, in the order of the lectures."""
    drawn = {}
    for name, spec in FIGURES.items():
        try:
            figure = spec.of(measured)
        except NoFigureError:  # for example, a network without tanh has no saturation map
            continue
        drawn[name] = FigureImages(spec.about, figure.to_bytes(), figure.to_bytes(dark=True))
    return drawn


def html_page(
    diagnosis: Diagnosis, images: Mapping[str, FigureImages], *, title: str, facts: Sequence[tuple[str, str]] = ()
) -> str:
    """Return a diagnosis as a self-contained page.

    Args:
        diagnosis: the findings.
        images: figures by name; each is shown once, with the first finding that refers to it.
        title: the name of the network.
        facts: more about the network, as pairs of a name and a value.
    """
    left = dict(images)
    findings = "\n".join(_finding(place, one, left) for place, one in enumerate(diagnosis.findings, 1))
    others = "\n".join(_figure(name, image) for name, image in left.items())
    return _PAGE.format(
        title=escape(title),
        style=STYLE,
        facts=_facts(facts),
        verdict="healthy" if not diagnosis.findings else "unhealthy",
        summary=escape(summary(diagnosis)),
        findings=findings,
        others=f"<h2>{'Further figures' if findings else 'Figures'}</h2>\n{others}" if others else "",
        checked="".join(f"<p>{escape(label)}: {escape(names)}.</p>\n" for label, names in details(diagnosis)),
    )


# the page loads nothing: it must be safe to open and work offline
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}: health report</title>
<style>{style}</style>
</head>
<body>
<header>
<p class="kind">Health report</p>
<h1>{title}</h1>
{facts}
<p class="summary {verdict}">{summary}</p>
</header>
<main>
{findings}
{others}
</main>
<footer>
{checked}
</footer>
</body>
</html>
"""


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<div><dt>{escape(what)}</dt><dd>{escape(value)}</dd></div>" for what, value in facts)
    return f'<dl class="facts">{cells}</dl>' if cells else ""


def _finding(place: int, finding: Finding, left: dict[str, FigureImages]) -> str:
    """Return a finding with its figures, which are removed from `left`."""
    names = [name for name in finding.figures if name in left]
    shown = "\n".join(_figure(name, left.pop(name)) for name in names)
    more = len(finding.where) - _NAMES
    where = ", ".join(f"<code>{escape(name)}</code>" for name in finding.where[:_NAMES])
    where += f" and {more} more" if more > 0 else ""
    steps = "".join(f"<li>{escape(one)}</li>" for one in finding.try_this)
    return f"""<section class="finding {finding.severity}" id="{escape(finding.id)}">
<p class="severity">{finding.severity}</p>
<h2>{place}. {escape(finding.title)}</h2>
{f'<p class="where">In {where}</p>' if where else ""}
{_evidence(finding.evidence)}
<p>{escape(finding.because)}</p>
<h3>Try</h3>
<ul>{steps}</ul>
{_more(finding)}
{shown}
</section>"""


def _more(finding: Finding) -> str:
    """Return the background of a finding, collapsed, with the lessons about it."""
    paragraphs = [
        re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)) for text in explained(finding.id).split("\n\n")
    ]
    paragraphs += [
        f"Lesson {number}: <code>backlight lessons open {number}</code>" for number in lessons_on(finding.id)
    ]
    said = "".join(f"<p>{text}</p>" for text in paragraphs)
    return f"<details><summary>Background</summary>{said}</details>"


def _evidence(evidence: Sequence[Evidence]) -> str:
    if not evidence:
        return ""
    expects = any(one.expected for one in evidence)
    head = "<tr><th>measured</th><th></th>" + ("<th>expected</th>" if expects else "") + "</tr>"
    rows = "".join(
        f'<tr><td>{escape(one.what)}</td><td class="number">{escape(_measured(one))}</td>'
        + (f"<td>{escape(one.expected)}</td>" if expects else "")
        + "</tr>"
        for one in evidence
    )
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _measured(evidence: Evidence) -> str:
    unit = evidence.unit if evidence.unit[:1] in {"", "%"} else f" {evidence.unit}"
    return number(evidence.value) + unit


def _figure(name: str, image: FigureImages) -> str:
    about = escape(image.about)
    return f"""<figure id="figure-{escape(name)}">
<picture>
<source media="(prefers-color-scheme: dark)" srcset="{_data(image.dark)}">
<img src="{_data(image.light)}" alt="{about}">
</picture>
<figcaption>{about[:1].upper()}{about[1:]}</figcaption>
</figure>"""


def _data(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
