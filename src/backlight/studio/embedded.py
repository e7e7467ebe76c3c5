"""A recording and its viewer inside an HTML page, which then loads nothing and works offline."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from backlight.core.html import allowed
from backlight.studio.assets import VIEWER
from backlight.studio.messages import joined

_START: Final = 'import "backlight/embedded.js";'


@dataclass(frozen=True)
class EmbeddedViewer:
    """The parts of a page that show a recording.

    Attributes:
        policy: sources of scripts that the page's Content-Security-Policy must allow.
        style: the viewer's style sheet.
        body: HTML; the viewer appears in its place.
    """

    policy: str
    style: str
    body: str


def embedded(messages: Iterable[bytes]) -> EmbeddedViewer:
    """Return a viewer with its recording.

    Args:
        messages: see `backlight.studio.messages`.
    """
    modules = VIEWER.import_map(_START, VIEWER.data_address)
    recording = joined(messages).decode().replace("<", "\\u003c")  # so that no text in it can end the script element
    body = f"""<div id="viewer"><noscript><p>The curves of this page are drawn by JavaScript.</p></noscript></div>
<script type="application/json" id="recording">{recording}</script>
<script type="importmap">{modules}</script>
<script type="module">{_START}</script>"""
    return EmbeddedViewer(
        policy=f"{allowed(modules)} {allowed(_START)} data:", style=VIEWER.content("viewer.css").decode(), body=body
    )
