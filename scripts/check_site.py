"""Check a built site: every local link, anchor and image exists, and no page loads anything from another site.

Usage: python scripts/check_site.py [FOLDER], by default build/site.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {("script", "src"), ("link", "href"), ("img", "src"), ("source", "srcset"), ("iframe", "src"), ("video", "src")}
QUIET = {"canonical", "next", "prev", "alternate"}  # link types that load nothing


class Links(HTMLParser):
    """The links of a page, each with whether it loads a resource, and the anchors of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[tuple[str, bool]] = []
        self.anchors = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the links and anchors of a tag."""
        given = dict(attrs)
        self.anchors |= {given.get("id") or "", given.get("name") or ""}
        for name in ("href", "src", "srcset"):
            if link := given.get(name):
                self.links.append((link, (tag, name) in LOADS and given.get("rel") not in QUIET))


def problems(site: Path) -> list[str]:
    """Return the problems of a site, one line each."""
    pages = {path: Links(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for page, parsed in pages.items():
        for link, loads in parsed.links:
            parts = urlsplit(link)
            above = site if parts.path.startswith("/") else page.parent
            target = (above / unquote(parts.path).lstrip("/")).resolve() if parts.path else page
            if parts.scheme or parts.netloc:
                wrong = "is loaded from another site" if loads and parts.scheme != "data" else None
            elif not target.exists():
                wrong = "does not exist"
            else:
                missing = target in pages and unquote(parts.fragment) not in pages[target].anchors
                wrong = "has no such anchor" if missing else None
            if wrong:
                found.append(f"{page.relative_to(site)}: {link} {wrong}")
    return list(dict.fromkeys(found))


def main() -> int:
    """Print the problems; return 1 if there are any."""
    site = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "build" / "site"
    found = problems(site.resolve())
    print(*found, f"{len(found)} problems in {len(list(site.rglob('*.html')))} pages", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
