"""The reference pages in docs say what the sources say."""

import pytest
from scripts.make_references import pages

PAGES = pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_is_what_the_sources_give(path):
    assert path.read_text(encoding="utf-8") == PAGES[path], "run: python scripts/make_references.py"


def test_every_type_of_line_and_every_entry_is_described():
    page = next(text for path, text in PAGES.items() if path.name == "record_stream.md")
    assert "## `step`" in page
    assert "| `update_to_data` | `float \\| None` | std of the step's change" in page
    assert "|  |" not in page
