"""The lessons of the course, and writing a lesson's notebook into a learner's folder."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from backlight.core import ConfigError, RunError
from backlight.lessons.exercises import EXERCISES, Exercise
from backlight.lessons.notebook import Cell, notebook_bytes, parse
from backlight.runs.atomic import read_whole, write_atomically

REPOSITORY: Final = "backlight/backlight"
"""Owner and name on GitHub, for the Colab badge and the install cell. After a change, run `make notebooks`."""

_BADGE: Final = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{repository}/blob/main/notebooks/{file})"
)

_INSTALL: Final = """\
# installs Backlight if it is missing, as on Colab; in a browser, from the site of the course
try:
    import backlight
except ImportError:
    import sys

    if sys.platform == "emscripten":
        %pip install --quiet backlight
    else:
        %pip install --quiet "backlight @ git+https://github.com/{repository}"\
"""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One lesson of the course.

    Attributes:
        number: 1 to 11.
        name: the stem of its files, such as "lesson_1_micrograd".
        title: a few words.
        able: what you can do after it, in a line that continues "you can".
        carries: exercises of earlier lessons whose answers it uses; its notebook checks them again.
    """

    number: int
    name: str
    title: str
    able: str
    carries: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The file name of its notebook."""
        return f"{self.name}.ipynb"

    @property
    def exercises(self) -> list[Exercise]:
        """Its exercises, in order."""
        return [exercise for exercise in EXERCISES.values() if exercise.lesson == self.number]

    @property
    def checked(self) -> list[Exercise]:
        """The exercises that its notebook checks: those that it carries, then its own."""
        return [*(EXERCISES[id_] for id_ in self.carries), *self.exercises]

    def cells(self, *, student: bool) -> list[Cell]:
        """Return the cells of its source, with the solutions or, for a student, with stubs in their place."""
        path = resources.files("backlight.lessons").joinpath("sources", f"{self.name}.py")
        return parse(path.read_text(encoding="utf-8"), student=student)

    def notebook(self, *, student: bool = True) -> bytes:
        """Return its notebook as the bytes of a file: with an install cell and a badge at the top, without outputs."""
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
            able="say where every gradient of a small network comes from, and train the network by hand",
        ),
        Lesson(
            number=2,
            name="lesson_2_bigrams",
            title="What follows what: a language model by counting, and the same by training",
            able="build, evaluate and smooth a character model, and say why one-hot times W is a table of log counts",
        ),
        Lesson(
            number=3,
            name="lesson_3_mlp",
            title="Looking further back: embeddings, and a layer that reads several characters",
            able="train a network on minibatches, find its learning rate, and recognise underfitting and overfitting",
        ),
        Lesson(
            number=4,
            name="lesson_4_batch_norm",
            title="Keeping the signal alive: initial weights, saturated units, batch norm",
            able="see why a deep network does not learn, initialise its weights, and write and fold batch norm",
        ),
        Lesson(
            number=5,
            name="lesson_5_backprop_by_hand",
            title="The gradient by hand: arrays, batch norm, training without autograd",
            able="write the gradient of any step of a network, and find the line where a gradient first goes wrong",
        ),
        Lesson(
            number=6,
            name="lesson_6_wavenet",
            title="Two by two: layers as modules, a network that joins its context as a tree",
            able="build a deep network from modules, find bugs that broadcasting hides, and see a tree as convolutions",
        ),
        Lesson(
            number=7,
            name="lesson_7_gpt",
            title="Letters that read each other: attention, and a GPT",
            able="write self-attention for all heads at once, train a GPT, and train it on a task of your own",
        ),
        Lesson(
            number=8,
            name="lesson_8_tokens",
            title="Tokens: byte-pair encoding, and how losses compare",
            able="build a tokenizer, say what each of its rules is for, and compare models that cut texts differently",
        ),
        Lesson(
            number=9,
            name="lesson_9_gpt2",
            title="GPT-2 at small scale: its weights, its training, attention in blocks",
            able="load GPT-2's weights, start and train such a network as it was, and compute attention in blocks",
        ),
        Lesson(
            number=10,
            name="lesson_10_microgpt",
            title="A GPT made of single numbers: microgpt, from its loss to one weight",
            able="follow a gradient through a whole GPT by hand, and run a graph of single numbers at the speed of C",
        ),
        Lesson(
            number=11,
            name="lesson_11_own_gpt",
            title="Your own GPT: the functions that you wrote, put together and trained",
            able="differentiate attention, and train a GPT with nothing but your own backward passes",
            carries=("1.4", "4.4", "5.2", "5.3", "7.1"),
        ),
    )
}
"""The lessons by number."""


def lesson(number: int) -> Lesson:
    """Return a lesson by its number.

    Raises:
        ConfigError: there is no lesson with this number.
    """
    if number not in LESSONS:
        raise ConfigError(
            f"a lesson must be one of {', '.join(map(str, LESSONS))}; got {number}. See: backlight lessons"
        )
    return LESSONS[number]


@dataclass(frozen=True)
class Opened:
    """A notebook to work on.

    Attributes:
        path: the path of the file.
        new: whether it was written by this call; otherwise it was already there, unchanged.
    """

    path: Path
    new: bool


def open_lesson(lesson: Lesson, folder: Path, content: bytes | None = None) -> Opened:
    """Write a lesson's student notebook into a folder, which is created if necessary.

    Args:
        lesson: the lesson.
        folder: the folder.
        content: the notebook; by default the lesson's own.

    Raises:
        RunError: a file of that name has different content, or the folder cannot be written.
    """
    path, content = folder / lesson.file, content or lesson.notebook()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = path.is_symlink() or path.exists()
    except OSError as error:
        raise RunError(
            f"the folder of a lesson must be writable; got {folder}: {error.strerror}. Choose another."
        ) from error
    if not there:
        write_atomically(path, content)
        return Opened(path, new=True)
    if path.is_file() and read_whole(path, remedy="Choose another folder.") == content:
        return Opened(path, new=False)
    raise RunError(
        f"a changed notebook is not overwritten; {path} exists and has changes. Continue with it, "
        f"or write a fresh one into another folder: backlight lessons open {lesson.number} DIR"
    )
