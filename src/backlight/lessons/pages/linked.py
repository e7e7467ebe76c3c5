"""The small worlds that a lesson names, as links of its page."""

import re
from typing import Final

from backlight.lessons.catalogue import Lesson
from backlight.lessons.worlds import World, world

_NAMED: Final = re.compile(r"backlight worlds (\w+) --lesson (\d+)")


def linked(html: str) -> str:
    """Return the HTML of a text in which each command that opens a world is a link to the world's page.

    Raises:
        ConfigError: there is no world of such a name, or it does not belong to the lesson.
    """
    return re.sub(rf"<code>{_NAMED.pattern}</code>", _link, html)


def worlds_of(lesson: Lesson) -> list[World]:
    """Return the worlds that the texts of a lesson name, each once. Raises ConfigError if there is no such world."""
    found = (named[1] for cell in lesson.cells(student=True) for named in _NAMED.finditer(cell.source))
    return [world(name) for name in dict.fromkeys(found)]


def _link(named: re.Match[str]) -> str:
    there = world(named[1])
    return f'<a href="{there.file}#{there.start(int(named[2])).anchor}">{named[0]}</a>'
