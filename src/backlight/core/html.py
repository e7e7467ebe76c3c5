"""HTML documents that load nothing: they are safe to open, and work offline."""

import base64
import hashlib
from collections.abc import Iterable
from html import escape


def document(title: str, *, style: str, body: str, scripts: str = "", head: str = "") -> str:
    """Return an HTML document with everything inside, whose Content-Security-Policy forbids all else.

    Args:
        title: the title, as text.
        style: its CSS.
        body: its body element.
        scripts: sources of scripts that it may run, as in a `script-src` of that policy; without any, it runs none.
        head: HTML for the head.
    """
    may = f"; script-src {scripts}" if scripts else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'{may}">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">{head}
<title>{escape(title)}</title>
<style>{style}</style>
</head>
{body}
</html>
"""


def allowed(script: str) -> str:
    """Return the source that allows one inline script, by its hash."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return pairs of a name and a value, as text, as a list in HTML; nothing for none."""
    cells = "".join(f"<div><dt>{escape(what)}</dt><dd>{escape(value)}</dd></div>" for what, value in pairs)
    return f'<dl class="facts">{cells}</dl>' if cells else ""
