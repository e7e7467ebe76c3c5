"""Where texts are on a figure, and whether they can be read."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text


def drawn(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> list[Text]:
    """Return every text that is really drawn: axes keep labels of ticks beyond their limits, which are not."""
    texts: list[Text] = []
    draw = Text.draw

    def record(text, renderer):
        if text.get_visible() and text.get_text().strip():
            texts.append(text)
        draw(text, renderer)

    figure.get_layout_engine().execute(figure)  # once before the drawing and once with it, as when saving
    monkeypatch.setattr(Text, "draw", record)
    figure.draw_without_rendering()
    return texts


def cut_off(figure: Figure, texts: list[Text]) -> list[str]:
    """Return the texts that are not whole on the figure."""
    page = figure.bbox.padded(1)
    boxes = ((text.get_text(), Text.get_window_extent(text)) for text in texts)
    return [text for text, box in boxes if not (page.contains(box.x0, box.y0) and page.contains(box.x1, box.y1))]


def overlaps(texts: list[Text]) -> list[tuple[str, str]]:
    """Return the pairs of texts that share more than a pixel's breadth."""
    boxes = np.array([Text.get_window_extent(text).padded(-1).extents for text in texts])
    low, high = boxes[:, :2], boxes[:, 2:]
    shared = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])
    first, second = np.nonzero(np.triu((shared > 0).all(axis=-1), 1))
    return [(texts[a].get_text(), texts[b].get_text()) for a, b in zip(first, second, strict=True)]
