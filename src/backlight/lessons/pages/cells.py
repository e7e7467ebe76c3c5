"""The cells of an executed lesson, as HTML."""

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from backlight.lessons.notebook import Cell
from backlight.lessons.pages.linked import linked

_NARROW: Final = 40
"""So many characters of code fit into 390 pixels."""

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def text_html(cell: Cell) -> str:
    """Return a text cell as HTML; headings have ids, and short code spans are not broken across lines."""
    html = re.sub(r"<code>([^<]{1,28})</code>", r'<code class="short">\1</code>', linked(_MARKDOWN.render(cell.source)))
    html = html.replace("<pre>", '<pre tabindex="0">')
    html = html.replace("<table>", f"{_scrolled('a table')}<table>").replace("</table>", "</table></div>")
    return f'<section class="text">{re.sub(r"<(h[1-6])>(.*?)</", _with_id, html)}</section>'


def _scrolled(what: str) -> str:
    """Return the start of a box that scrolls sideways if it is wider than the screen; keys can scroll it, too."""
    return f'<div class="wide" role="group" aria-label="{what}" tabindex="0">'


def _reached(text: str) -> str:
    """Return the attribute that lets keys scroll a text which may be wider than a telephone."""
    return ' tabindex="0"' if max(map(len, text.splitlines()), default=0) > _NARROW else ""


def _with_id(heading: re.Match[str]) -> str:
    """Return the opening tag and text of a heading, with an id made of its words."""
    id_ = "-".join(re.sub(r"<[^>]*>", "", heading[2]).split())
    return f'<{heading[1]} id="{id_}">{heading[2]}</'


def code_html(cell: Cell, stub: Cell, outputs: str, exercise: str) -> str:
    """Return a code cell and its outputs as HTML. A solution is collapsed, below the stub that students get.

    Args:
        cell: the cell as it was run.
        stub: the cell as students get it.
        outputs: its outputs, as HTML.
        exercise: the id of the exercise that it solves; "" for none.
    """
    if not exercise:
        return f'<section class="cell">{_code(cell.source)}{outputs}</section>'
    return (
        f'<section class="cell exercise">{_code(stub.source)}<details><summary>A solution of exercise {exercise}, and '
        f"its check</summary>{_code(cell.source)}{outputs}</details></section>"
    )


def outputs_html(outputs: Iterable[Mapping[str, Any]]) -> str:
    """Return the outputs of a cell, in the format of a notebook, as HTML."""
    shown = map(_output, outputs)
    return "".join(f'<div class="out">{one}</div>' for one in shown if one)


def _output(output: Mapping[str, Any]) -> str:
    if output["output_type"] == "stream":
        return _printed(output["text"])
    data, metadata = output["data"], output.get("metadata", {})
    if "text/html" in data:
        html = str(data["text/html"])
        still = "<input" not in html and re.search("<(svg|table|pre)", html)
        return f"{_scrolled('output')}{html}</div>" if still else html
    if "image/png" in data:
        return _image(data["image/png"], metadata.get("image/png", {}))
    return _printed(data.get("text/plain", ""))


def _printed(text: str) -> str:
    return f"<pre{_reached(text)}>{escape(text.rstrip())}</pre>" if text.strip() else ""


def _image(png: str, about: Mapping[str, Any]) -> str:
    size = "".join(f' {side}="{about[side]}"' for side in ("width", "height") if side in about)
    alt = escape(about.get("alt", "a figure that illustrates the text above"), quote=True)
    return f'<img src="data:image/png;base64,{"".join(png.split())}" alt="{alt}"{size}>'


def _code(source: str) -> str:
    code = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True)).rstrip()
    return f'<pre class="code"{_reached(source)}>{code}</pre>'
