"""The HTML file of a world, which loads nothing and works offline."""

import json
from html import escape
from pathlib import Path
from typing import Final

from backlight.core import RunError, html
from backlight.lessons.worlds.catalogue import WORLDS, World
from backlight.lessons.worlds.graphs import graphs
from backlight.runs.atomic import write_atomically
from backlight.studio.assets import VIEWER, Assets

ASSETS: Final = Assets((*VIEWER.folders, ("backlight.lessons.worlds", "scripts"), ("backlight.lessons", "stepping")))
"""The modules and style sheets of the worlds."""


def write_world(world: World, folder: Path) -> Path:
    """Write a world's page into a folder, which is created if necessary; return its path.

    Raises:
        RunError: the folder cannot be written.
    """
    path = folder / world.file
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"the folder of a page must be writable; got {folder}: {error.strerror}. Choose another: "
            f"backlight worlds {world.name} DIR"
        ) from error
    write_atomically(path, page(world).encode())
    return path


def write_worlds(folder: Path) -> list[Path]:
    """Write the pages of all worlds, to which the pages of lessons lead. Raises the errors of `write_world`."""
    return [write_world(one, folder) for one in WORLDS.values()]


def page(world: World) -> str:
    """Return a world as a page."""
    start = f'import {{ open }} from "backlight/{world.name}.js"; open();'
    modules = ASSETS.import_map(start, ASSETS.data_address)
    data = _data("starts", {one.anchor: one.settings for one in world.starts})
    if world.name == "graph":
        data += _data("graphs", graphs())
    body = _BODY.format(
        title=escape(world.title),
        able=escape(world.able),
        starts="".join(
            f'<li><a id="{one.anchor}" href="#{one.anchor}">Lesson {one.lesson}: {escape(one.section)}</a> '
            f"{escape(one.task)}</li>"
            for one in world.starts
        ),
        data=data,
        modules=modules,
        start=start,
    )
    return html.document(
        f"{world.title}: a small world",
        style="".join(ASSETS.content(name).decode() for name in ("viewer.css", "worlds.css", "stepping.css")),
        body=body,
        scripts=f"{html.allowed(modules)} {html.allowed(start)} data:",
    )


def _data(id_: str, values: object) -> str:
    """Return values as JSON in a script element, which no text in them can end."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{id_}">{text}</script>'


_BODY: Final = """<body class="backlight-page">
<header>
<p class="kind">A small world</p>
<h1>{title}</h1>
<p>Here you can {able}.</p>
<nav aria-label="Lessons"><ul class="starts">{starts}</ul></nav>
</header>
<main id="world"><noscript><p>This world is computed and drawn by JavaScript.</p></noscript></main>
<footer><p>Everything is computed in this page, which loads nothing.</p></footer>
{data}
<script type="importmap">{modules}</script>
<script type="module">{start}</script>
</body>"""
