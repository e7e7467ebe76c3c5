"""The gallery shows every picture, in both themes, and is not too large to be cloned."""

import re
from pathlib import Path

from PIL import Image

from backlight.figures.catalogue import PICTURES

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "gallery.md").read_text(encoding="utf-8")
SHOWN = re.findall(r'(?:src|srcset)="(images/gallery/[^"]+)"', PAGE)


def test_every_picture_is_shown_light_and_dark() -> None:
    assert {f"images/gallery/{name}{theme}.png" for name in PICTURES for theme in ("", "-dark")} <= set(SHOWN)


def test_what_is_shown_is_there_and_what_is_there_is_shown() -> None:
    assert sorted(SHOWN) == sorted(str(path.relative_to(DOCS)) for path in (DOCS / "images" / "gallery").iterdir())


def test_pictures_are_whole_readable_and_small() -> None:
    for name in SHOWN:
        with Image.open(DOCS / name) as picture:
            picture.load()
            assert 700 <= picture.width <= 2000, name
    assert sum((DOCS / name).stat().st_size for name in SHOWN) < 2_500_000


def test_every_picture_says_what_it_is_to_those_who_cannot_see_it() -> None:
    assert len(re.findall(r'<img alt="[^"]{10,}"', PAGE)) == len(SHOWN) / 2
