"""The gallery shows every figure, in both themes, and is not too large to be cloned."""

import re
from pathlib import Path

from PIL import Image

from backlight.figures import FIGURES

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "gallery.md").read_text(encoding="utf-8")
SHOWN = re.findall(r'(?:src|srcset)="(images/gallery/[^"]+)"', PAGE)


def test_every_figure_is_shown_light_and_dark() -> None:
    missing = {name for name in FIGURES for theme in ("", "-dark") if f"images/gallery/{name}{theme}.png" not in SHOWN}
    assert missing == set(), "give each a section in docs/gallery.md, and run scripts/make_gallery.py"


def test_what_is_shown_is_there_and_what_is_there_is_shown() -> None:
    there = sorted(str(path.relative_to(DOCS)) for path in (DOCS / "images" / "gallery").iterdir())
    assert sorted(SHOWN) == there, "run scripts/make_gallery.py, and delete images that are not shown"


def test_images_are_whole_readable_and_small() -> None:
    for name in SHOWN:
        with Image.open(DOCS / name) as image:
            image.load()
            assert 700 <= image.width <= 2000, name
    assert sum((DOCS / name).stat().st_size for name in SHOWN) < 2_500_000


def test_every_figure_says_what_it_is_to_those_who_cannot_see_it() -> None:
    assert len(re.findall(r'<img alt="[^"]{10,}"', PAGE)) == len(SHOWN) / 2
