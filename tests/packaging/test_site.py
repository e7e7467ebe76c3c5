"""The site: links that work on a code host are turned to where things are there, and the check finds what is broken."""

from importlib import import_module
from pathlib import Path

import pytest
from scripts import make_site
from scripts.check_site import problems

ROOT = Path(__file__).parents[2]


def test_every_package_with_public_names_has_its_page():
    for name in make_site.PACKAGES.values():
        if name not in {"backlight.pytorch", "backlight.watch.torch"}:
            assert import_module(name).__all__
    assert {"backlight", "backlight.nn", "backlight.health"} <= set(make_site.PACKAGES.values())


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("README.md", "index.md"),
        ("docs/gallery.md", "gallery.md"),
        ("docs/images/comparison.png", "images/comparison.png"),
        ("docs/derivations", "derivations/index.md"),
        ("docs/course/README.md", "course.md"),
        ("src/backlight/nn", "reference/backlight.nn.md"),
        ("src/backlight/lessons/recordings/README.md", "src/backlight/lessons/recordings/README.md"),
        ("LICENSE", "LICENSE.txt"),
    ],
)
def test_a_file_of_the_repository_has_its_place(path, place):
    assert (ROOT / path).exists()
    assert make_site.site_path(path) == place


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<a href="b.html#part">b</a> <a href="https://example.org">out</a> <img src="a.html">', None),
        ('<a href="/b.html">from the top</a>', None),
        ('<a href="c.html">c</a>', "a.html: c.html does not exist"),
        ('<a href="b.html#whole">b</a>', "a.html: b.html#whole has no such anchor"),
        ('<a href="#whole">here</a>', "a.html: #whole has no such anchor"),
        ('<source srcset="dark.png">', "a.html: dark.png does not exist"),
        (
            '<script src="https://example.org/x.js"></script>',
            "a.html: https://example.org/x.js is loaded from another site",
        ),
        ('<link rel="preconnect" href="//example.org">', "a.html: //example.org is loaded from another site"),
    ],
)
def test_what_is_wrong_with_a_page_is_found(tmp_path, body, problem):
    (tmp_path / "a.html").write_text(body, encoding="utf-8")
    (tmp_path / "b.html").write_text('<h2 id="part">Part</h2>', encoding="utf-8")
    assert problems(tmp_path) == ([problem] if problem else [])
