"""Small worlds: pages in which a reader plays with one idea of a lesson, offline, and trains in the page.

`catalogue.py` lists them, `html.py` writes their pages, and `scripts/` has their ES modules. `engine.js` computes the
gradients; a test compares them with Backlight's.
"""

from backlight.lessons.worlds.catalogue import WORLDS, LessonStart, World, world

__all__ = ["WORLDS", "LessonStart", "World", "world"]
