"""Build the site in build/site: README and docs, and a reference page for each public package.

A package is public if its `__init__.py` has a nonempty `__all__`. A link from docs to another folder of the repository
is replaced by one to the package's reference, to a page made from the Markdown file, or to a copy of the file.
scripts/check_site.py then finds broken links.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from posixpath import dirname, join, normpath, relpath

from backlight.lessons.worlds import WORLDS
from backlight.lessons.worlds.html import write_worlds

ROOT = Path(__file__).parents[1]
CONFIG = Path(__file__).with_name("site.yml")
BUILD = ROOT / "build"
SOURCE = BUILD / "site_source"

TOP = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
PROJECT = ["contributing.md", "changelog.md", "dependencies.md", "planted_bugs.md", "log.md"]
LINK = re.compile(r"""(\]\(|\bsrc="|\bsrcset=")([^)"#:\s]+)""")


def public_packages() -> dict[str, str]:
    """Return the dotted name of each public package, by its path from the root of the repository."""
    found = {}
    for file in sorted(ROOT.glob("src/backlight/**/__init__.py")):
        body = ast.parse(file.read_text(encoding="utf-8")).body
        public = [
            node.value for node in body if isinstance(node, ast.Assign) and ast.unparse(node.targets) == "__all__"
        ]
        if public and ast.unparse(public[0]) not in {"[]", "()"}:
            found[str(file.parent.relative_to(ROOT))] = ".".join(file.parent.relative_to(ROOT / "src").parts)
    return found


PACKAGES = public_packages()


def site_path(path: str) -> str:
    """Return the path of a file or folder of the repository in the site's sources."""
    if path in PACKAGES:
        return f"reference/{PACKAGES[path]}.md"
    if path.startswith("docs/"):
        place = path.removeprefix("docs/").replace(
            "/README.md", ".md"
        )  # an index.html in the same folder is not replaced
        return f"{place}/index.md" if (ROOT / path).is_dir() else place
    return TOP.get(path, path if path.endswith(".md") else f"{path}.txt")


def add_page(path: str) -> None:
    """Copy a Markdown file of the repository to the site's sources, with the files that it links to."""
    place = site_path(path)
    if (SOURCE / place).exists():
        return

    def turned(link: re.Match[str]) -> str:
        target = normpath(join(dirname(path), link[2]))
        if not target.startswith("docs/") and (ROOT / target).is_file():
            add_page(target) if target.endswith(".md") else add_copy(target)
        return link[1] + relpath(site_path(target), dirname(place) or ".")

    write(place, "")  # so that a page that links back to it does not add it again
    text = LINK.sub(turned, (ROOT / path).read_text(encoding="utf-8"))
    if path == "docs/course/README.md":
        text += "\n" + "".join(f"- [{one.title}](course/{one.file})\n" for one in WORLDS.values())
        if (SOURCE / "course/index.html").exists():
            text += "\n[Open the lessons](course/index.html)\n"
    write(place, text)


def add_copy(path: str) -> None:
    """Copy a file of the repository unchanged."""
    target = SOURCE / site_path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / path, target)


def write(place: str, text: str) -> None:
    """Write a file of the site's sources."""
    (SOURCE / place).parent.mkdir(parents=True, exist_ok=True)
    (SOURCE / place).write_text(text, encoding="utf-8")


def write_reference() -> None:
    """Write a reference page for each public package, and one that lists them."""
    lines = ["# Reference", "", "The public names of every package, from its source.", "", "| package | |", "|---|---|"]
    for path, name in PACKAGES.items():
        write(site_path(path), f"# `{name}`\n\n::: {name}\n")
        docstring = ast.get_docstring(ast.parse((ROOT / path / "__init__.py").read_text(encoding="utf-8"))) or ""
        first = docstring.partition("\n\n")[0].replace("\n", " ")
        lines.append(f"| [`{name}`]({name}.md) | {first} |")
    write("reference/index.md", "\n".join(lines) + "\n")


def write_index(folder: Path) -> None:
    """Write an index of the pages of a docs folder, if the folder has none."""
    titles = {
        path.name: path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") for path in folder.glob("*.md")
    }
    if titles and "README.md" not in titles:
        links = "".join(f"- [{titles[name]}]({name})\n" for name in sorted(titles))
        write(f"{folder.name}/index.md", f"# {folder.name.capitalize()}\n\n{links}")


def navigation() -> list[dict[str, str | list[str]]]:
    """Return all pages in order, grouped by folder."""
    groups: dict[str, list[str]] = {"Guides": [], "Derivations": [], "Reference": [], "Project": []}
    pages = [path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.md")]
    for page in sorted(set(pages) - {"index.md"}, key=lambda page: (not page.endswith("index.md"), page[:-3])):
        folder = page.partition("/")[0].capitalize()
        groups[folder if folder in groups else "Project" if page in PROJECT else "Guides"].append(page)
    return [{"Backlight": "index.md"}, *({title: group} for title, group in groups.items())]


def main() -> int:
    """Write the sources, and build the site from them."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", SOURCE, ignore=shutil.ignore_patterns("*.md"))
    write_worlds(SOURCE / "course")
    for path in [*TOP, *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md")))]:
        add_page(path)
    write_reference()
    for folder in sorted({path.parent for path in (ROOT / "docs").glob("*/*.md")}):
        write_index(folder)
    config = BUILD / "site.yml"
    config.write_text(f"{CONFIG.read_text(encoding='utf-8')}\nnav: {json.dumps(navigation())}\n", encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--config-file", str(config)]
    return subprocess.run(command, cwd=BUILD, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
