"""The small worlds, and where each begins for a lesson."""

from dataclasses import dataclass, field
from typing import Any, Final

from backlight.core import ConfigError


@dataclass(frozen=True, kw_only=True)
class LessonStart:
    """Settings with which a world begins for a section of a lesson.

    Attributes:
        lesson: the number of the lesson.
        section: the heading of the section.
        task: what to try there, in a sentence.
        settings: values for JSON, which the world's script reads.
    """

    lesson: int
    section: str
    task: str
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def anchor(self) -> str:
        """The fragment of the page's address that leads here."""
        return f"lesson-{self.lesson}"


@dataclass(frozen=True, kw_only=True)
class World:
    """One small world.

    Attributes:
        name: a word, as in `backlight worlds NAME`.
        title: a few words.
        able: what you can do in it, in a line that continues "you can".
        starts: where it begins for lessons; the first one is where it begins otherwise.
    """

    name: str
    title: str
    able: str
    starts: tuple[LessonStart, ...]

    @property
    def file(self) -> str:
        """The file name of its page."""
        return f"world_{self.name}.html"

    def start(self, lesson: int) -> LessonStart:
        """Return where it begins for a lesson.

        Raises:
            ConfigError: it belongs to other lessons.
        """
        for one in self.starts:
            if one.lesson == lesson:
                return one
        numbers = ", ".join(str(one.lesson) for one in self.starts)
        raise ConfigError(
            f"the lesson of the world {self.name} must be one of {numbers}; got {lesson}. See: backlight worlds"
        )


WORLDS: Final[dict[str, World]] = {
    world.name: world
    for world in (
        World(
            name="graph",
            title="A graph of single numbers",
            able="step through its values and gradients, forward and backward, and guess each number first",
            starts=(
                LessonStart(
                    lesson=1,
                    section="The idea: local derivative times the gradient from above",
                    task="Choose “Guess first”, and say each number before you see it.",
                ),
            ),
        ),
        World(
            name="plane",
            title="Points in the plane",
            able="watch a small network separate points, pull each of its weights, and bring points of your own",
            starts=(
                LessonStart(
                    lesson=1,
                    section="A network that learns",
                    task="Play until the two moons are separated. Then pull a weight, and see the boundary follow.",
                    settings={"points": "moons", "layers": 2, "units": 6},
                ),
                LessonStart(
                    lesson=3,
                    section="Two losses show what is wrong",
                    task="Few noisy points and a large network: play, and see the held-out loss rise while the other "
                    "falls.",
                    settings={"points": "noisy", "layers": 2, "units": 16, "rate": 1},
                ),
                LessonStart(
                    lesson=4,
                    section="Batch normalisation",
                    task="The first weights are 8 times too large, so that units are saturated. Play; then switch "
                    "batch norm on, and play again.",
                    settings={"points": "spirals", "layers": 3, "units": 8, "scale": 8, "rate": 0.3},
                ),
            ),
        ),
        World(
            name="attention",
            title="Attention, number by number",
            able="follow one head from query and key to the weighted sum on your own text, and change the temperature",
            starts=(
                LessonStart(
                    lesson=7,
                    section="Self-attention",
                    task="Step from the query to the next character, and check one score by hand.",
                ),
            ),
        ),
    )
}
"""The worlds by name."""


def world(name: str) -> World:
    """Return a world by its name.

    Raises:
        ConfigError: there is no world of this name.
    """
    if name not in WORLDS:
        raise ConfigError(f"a world must be one of {', '.join(WORLDS)}; got {name!r}. See: backlight worlds")
    return WORLDS[name]
