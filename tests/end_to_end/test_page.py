"""`backlight page` as people run it."""

from typing import Any


def test_a_model_as_a_page(runs: Any) -> None:
    said = runs.works("page", "net").out
    assert "The page is runs/net/page.html" in said
    whole = (runs.folder / "runs" / "net" / "page.html").read_text(encoding="utf-8")
    assert "<title>net: a model in a page</title>" in whole
    runs.works("page", "net", "--out", "mine.html")
    assert (runs.folder / "mine.html").is_file()
    runs.refused("page", "net", "--out", "nowhere/mine.html", says="nowhere")
    runs.refused("page", "other", says="there is no 'other'")
