"""The report: one self-contained HTML file, for screens in a light or dark theme and for print."""

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Final

from backlight.core import html
from backlight.health import Diagnosis, Evidence, Finding
from backlight.health.explained import explained, lessons_on
from backlight.health.findings import number
from backlight.health.over_time import over_time
from backlight.health.text import details, summary
from backlight.report.style import STYLE
from backlight.runs.atomic import write_atomically
from backlight.studio.embedded import EmbeddedViewer, embedded
from backlight.studio.measured import measured_messages
from backlight.watch.records import Measurements

_NAMES = 12
"""The maximum number of layer or parameter names that a finding shows."""

_PANELS: Final = {
    "loss": "Loss", "activations": "Layers", "preactivations": "Layers", "activation-gradients": "Layers",
    "weight-gradients": "Gradients of the weights", "gradient-to-data": "Gradient to data",
    "update-to-data": "Update to data", "saturation": "Units", "dead-units": "Units",
}  # fmt: skip
"""The panel of the viewer that shows what a figure shows."""


def report(
    measured: Measurements,
    *,
    title: str,
    facts: Sequence[tuple[str, str]] = (),
    samples: Sequence[tuple[int, Sequence[str]]] = (),
) -> str:
    """Return the health report of a watched or examined network as one HTML page, with its whole recording.

    Args:
        measured: measurements of a watcher or of `examine`, for a network of this package or of PyTorch.
        title: the name of the network.
        facts: more about the network, as pairs of a name and a value.
        samples: what the model wrote on the way, as pairs of a number of steps and texts.
    """
    known = [
        ("network", measured.model),
        ("parameter tensors", f"{len(measured.parameters):,}"),
        ("steps", f"{measured.total_steps:,}"),
        ("recorded steps", f"{len(measured.steps):,}"),
    ]
    history = over_time(measured)
    viewer = embedded(measured_messages(measured, history, title=title, samples=samples))
    return html_page(history[-1][1], viewer, title=title, facts=[*facts, *known])


def write_report(
    measured: Measurements,
    path: Path,
    *,
    title: str,
    facts: Sequence[tuple[str, str]] = (),
    samples: Sequence[tuple[int, Sequence[str]]] = (),
) -> None:
    """Write the page of `report` to a file; an old file of that name is replaced in one step.

    Args:
        measured: measurements of a watcher or of `examine`.
        path: the file.
        title: the name of the network.
        facts: more about the network, as pairs of a name and a value.
        samples: what the model wrote on the way, as pairs of a number of steps and texts.

    Raises:
        RunError: the file cannot be written.
    """
    write_atomically(path, report(measured, title=title, facts=facts, samples=samples).encode())


def html_page(
    diagnosis: Diagnosis, viewer: EmbeddedViewer, *, title: str, facts: Sequence[tuple[str, str]] = ()
) -> str:
    """Return a diagnosis as a self-contained page.

    Args:
        diagnosis: the findings.
        viewer: the recording that they are about.
        title: the name of the network.
        facts: more about the network, as pairs of a name and a value.
    """
    body = _BODY.format(
        title=escape(title),
        facts=html.facts(facts),
        verdict="healthy" if not diagnosis.findings else "unhealthy",
        summary=escape(summary(diagnosis)),
        findings="\n".join(_finding(place, one) for place, one in enumerate(diagnosis.findings, 1)),
        viewer=viewer.body,
        checked="".join(f"<p>{escape(label)}: {escape(names)}.</p>\n" for label, names in details(diagnosis)),
    )
    return html.document(f"{title}: health report", style=viewer.style + STYLE, body=body, scripts=viewer.policy)


_BODY = """<body>
<header>
<p class="kind">Health report</p>
<h1>{title}</h1>
{facts}
<p class="summary {verdict}">{summary}</p>
</header>
<main>
{findings}
{viewer}
</main>
<footer>
{checked}
</footer>
</body>"""


def _finding(place: int, finding: Finding) -> str:
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
{_panels(finding.figures)}
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
    head = "<tr><th>measured</th><th>value</th>" + ("<th>expected</th>" if expects else "") + "</tr>"
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


def _panels(figures: Iterable[str]) -> str:
    """Return links to the panels of the viewer that show a finding."""
    names = dict.fromkeys(_PANELS[one] for one in figures if one in _PANELS)
    links = ", ".join(f'<a href="#panel-{name.lower().replace(" ", "-")}">{escape(name)}</a>' for name in names)
    return f'<p class="see">Shown below: {links}</p>' if links else ""
