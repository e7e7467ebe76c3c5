"""The lessons: what there are, what each is for, and how one gets to where a learner works."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from backlight.core import ConfigError, RunError
from backlight.lessons.exercises import EXERCISES, Exercise
from backlight.lessons.notebook import Cell, notebook_bytes, parse
from backlight.runs.atomic import read_whole, write_atomically

REPOSITORY: Final = "backlight/backlight"
"""Owner and name on GitHub, for the Colab badge and for the install cell. After a change: make notebooks"""

_BADGE: Final = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{repository}/blob/main/notebooks/{file})"
)

_INSTALL: Final = """\
# only where Backlight is missing, as on Colab
try:
    import backlight
except ImportError:
    %pip install --quiet "backlight @ git+https://github.com/{repository}"\
"""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One lesson of the course.

    Attributes:
        number: 1 to 7.
        name: of its files, as in "lesson_1_micrograd".
        title: a few words.
        able: what you can do after it, in a line that goes on from "you can".
    """

    number: int
    name: str
    title: str
    able: str

    @property
    def file(self) -> str:
        """The name of its notebook."""
        return f"{self.name}.ipynb"

    @property
    def exercises(self) -> list[Exercise]:
        """Its exercises, in order."""
        return [exercise for exercise in EXERCISES.values() if exercise.lesson == self.number]

    def cells(self, *, student: bool) -> list[Cell]:
        """Return the cells of its source, with the solutions, or with stubs in their place."""
        path = resources.files("backlight.lessons").joinpath("sources", f"{self.name}.py")
        return parse(path.read_text(encoding="utf-8"), student=student)

    def notebook(self, *, student: bool = True) -> bytes:
        """Return its notebook as the bytes of a file: with a badge and an install cell on top, and without outputs."""
        badge = _BADGE.format(repository=REPOSITORY, file=self.file)
        top = [
            Cell(kind="code", source=_INSTALL.format(repository=REPOSITORY), tags=("install",)),
            Cell(kind="markdown", source=badge),
        ]
        return notebook_bytes(top + self.cells(student=student))


LESSONS: Final[dict[int, Lesson]] = {
    lesson.number: lesson
    for lesson in (
        Lesson(
            number=1,
            name="lesson_1_micrograd",
            title="One number at a time: derivatives, the chain rule, a network that learns",
            able="say where every gradient of a small network comes from, and train it by hand",
        ),
        Lesson(
            number=2,
            name="lesson_2_bigrams",
            title="What follows what: a language model by counting, and the same by learning",
            able="build, judge and smooth a model of letters, and see why one-hot times W is a table of log counts",
        ),
        Lesson(
            number=3,
            name="lesson_3_mlp",
            title="Looking further back: letters become points, and a layer reads several",
            able="train a network on minibatches, find its learning rate, and tell from two losses what it lacks",
        ),
        Lesson(
            number=4,
            name="lesson_4_batch_norm",
            title="Keeping the signal alive: first weights, saturated units, batch norm",
            able="see why a deep network does not learn, set its first weights, and write batch norm and fold it away",
        ),
        Lesson(
            number=5,
            name="lesson_5_backprop_by_hand",
            title="The gradient by hand: arrays, batch norm, training without autograd",
            able="write the gradient of any step of a network, and say at which line one first goes wrong",
        ),
        Lesson(
            number=6,
            name="lesson_6_wavenet",
            title="Two by two: layers as modules, a network that joins its context as a tree",
            able="build a deep network from modules, find what broadcasting hides, and read a tree as convolutions",
        ),
        Lesson(
            number=7,
            name="lesson_7_gpt",
            title="Letters that read each other: attention, and a GPT out of it",
            able="write self-attention for all heads at once, train a GPT, and teach it something of your own",
        ),
    )
}
"""By number."""


def lesson(number: int) -> Lesson:
    """Return a lesson by its number.

    Raises:
        ConfigError: there is none.
    """
    if number not in LESSONS:
        raise ConfigError(f"a lesson is one of {', '.join(map(str, LESSONS))}; got {number}. See: backlight lessons")
    return LESSONS[number]


@dataclass(frozen=True)
class Opened:
    """A notebook to work on.

    Attributes:
        path: where it is.
        new: whether it was written now; otherwise it was there, as it is given out.
    """

    path: Path
    new: bool


def open_lesson(lesson: Lesson, folder: Path) -> Opened:
    """Write a lesson's student notebook into a folder, which is made if it is not there.

    Raises:
        RunError: a file of that name has other content, or the disk refuses.
    """
    path, content = folder / lesson.file, lesson.notebook()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = path.is_symlink() or path.exists()
    except OSError as error:
        raise RunError(
            f"a lesson goes to a folder that can be written; got {folder}: {error.strerror}. Choose another."
        ) from error
    if not there:
        write_atomically(path, content)
        return Opened(path, new=True)
    if path.is_file() and read_whole(path, remedy="Choose another folder.") == content:
        return Opened(path, new=False)
    raise RunError(
        f"a notebook that was worked on is not overwritten; {path} is there and has changed. Go on with it, "
        f"or take a fresh one in another folder: backlight lessons open {lesson.number} DIR"
    )
