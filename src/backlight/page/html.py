"""The HTML file of a model, which loads nothing and works offline."""

import base64
import json
from html import escape
from pathlib import Path
from typing import Final

from backlight.core import html
from backlight.model import Model
from backlight.page.contents import Contents
from backlight.runs import RunDirectory, write_atomically
from backlight.runs.strict_json import plain
from backlight.studio.assets import VIEWER, Assets

_ASSETS: Final = Assets((*VIEWER.folders, ("backlight.page", "scripts")))
_START: Final = 'import { open } from "backlight/page.js"; open();'


def write_page(model: Model, path: Path) -> None:
    """Write a model as a page in which it runs; an old file of that name is replaced in one step.

    Args:
        model: the model, in 32-bit floating point as it is, or its counts.
        path: the file.

    Raises:
        ExportError: the page has no engine for the model or its tokens, or the model is too large.
        DomainError: a number of the model is not finite.
        RunError: the file cannot be written.
    """
    write_atomically(path, page(model).encode())


def page(model: Model) -> str:
    """Return a model as a page in which it runs. Raises the errors of `write_page` but for the file's."""
    contents = Contents.of(model)
    modules = _ASSETS.import_map(_START, _ASSETS.data_address)
    facts = json.dumps(plain(contents.facts), allow_nan=False, separators=(",", ":"))
    body = _BODY.format(
        title=escape(name_of(model)),
        about=html.facts(_about(model)),
        facts=facts.replace("<", "\\u003c"),  # so that no text in it can end the script element
        arrays=base64.b64encode(contents.arrays).decode(),
        modules=modules,
        start=_START,
    )
    return html.document(
        f"{name_of(model)}: a model in a page",
        style=_ASSETS.content("viewer.css").decode() + _ASSETS.content("page.css").decode(),
        body=body,
        scripts=f"{html.allowed(modules)} {html.allowed(_START)} data:",
    )


def name_of(model: Model) -> str:
    """Return what to call a model: the name of its run's folder; of a run in memory, that of the model."""
    store = model.run.store
    return store.path.name if isinstance(store, RunDirectory) else model.run.config.model


def _about(model: Model) -> list[tuple[str, str]]:
    run, result = model.run, model.result or {}
    dev = result.get("dev_nats")
    found = [
        ("model", run.config.model),
        ("text", run.config.corpus),
        ("parameters", f"{run.network.num_parameters():,}" if run.network is not None else None),
        ("n-grams", f"{model.run.model.num_parameters():,}" if run.network is None else None),
        ("held-out loss", None if dev is None else f"{dev:.4f} nats a character"),
    ]
    return [(what, value) for what, value in found if value is not None]


_BODY: Final = """<body class="backlight-page">
<header>
<p class="kind">A trained model</p>
<h1>{title}</h1>
{about}
</header>
<main id="model"><noscript><p>The model of this page is computed by JavaScript.</p></noscript></main>
<footer>
<p id="check" role="status"></p>
<p>Everything is computed in this page, which loads nothing.</p>
</footer>
<script type="application/json" id="facts">{facts}</script>
<script type="text/plain" id="arrays">{arrays}</script>
<script type="importmap">{modules}</script>
<script type="module">{start}</script>
</body>"""
