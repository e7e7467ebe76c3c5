"""The viewer in a notebook, without one: parts and wholes that a page gets, what is shown without a widget, errors."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.health.records import well

import backlight
from backlight.core import BacklightError, ConfigError, RunError
from backlight.runs import RunDirectory
from backlight.studio import displayed
from backlight.studio.assets import VIEWER
from backlight.studio.notebook import following
from backlight.studio.notebook.following import Following
from backlight.studio.notebook.still import Still
from backlight.studio.notebook.widget import RecordingWidget
from backlight.studio.recording import RunRecording
from backlight.watch.stream import write_stream

NAMES = ["emma", "olivia", "ava", "mia", "anna", "lea", "ida", "noa", "eli", "una"]
SIZES = {"context": 2, "embedding": 2, "hidden": (4,), "batch_size": 8, "steps": 20, "eval_interval": 10}


def trained(**more: Any) -> backlight.Model:
    return backlight.train(NAMES, **SIZES, progress=None, **more)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(watch_every=5, keep_checkpoints=2, run=tmp_path_factory.mktemp("runs") / "first").run.path


class Told:
    """What a page gets: like `Told` of notebook.js, it takes parts in order, and a whole where it missed one."""

    def __init__(self) -> None:
        self.parts, self.wholes, self.number = [], [], 0
        self.messages: list[Any] = []
        self.deaf = False

    def tell(self, number: int, part: bytes) -> None:
        self.parts.append(number)
        if not self.deaf and number == self.number + 1:
            self.number = number
            self.messages += json.loads(part)

    def keep(self, number: int, whole: bytes) -> None:
        self.wholes.append(number)
        if not self.deaf and number > self.number:
            self.number, self.messages = number, json.loads(whole)

    def steps(self) -> list[int]:
        records = [one for message in self.messages for one in message.get("records", [])]
        return [one["step"] for one in records if one["type"] == "step"]


def followed(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Following, Told]:
    """Return a follower of a record without its thread, for a test to call `look`."""
    monkeypatch.setattr(following, "Thread", lambda **_: SimpleNamespace(start=lambda: None))
    told = Told()
    made = Following(RunRecording(path), told.tell, told.keep)
    made.begin()
    return made, told


def test_a_page_that_missed_parts_gets_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LEAST_KEPT_BYTES", 0)
    path = tmp_path / "record.jsonl"
    write_stream(well(), tmp_path / "all.jsonl")
    lines = (tmp_path / "all.jsonl").read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]))
    follower, told = followed(path, monkeypatch)
    assert (told.parts, told.wholes) == ([], [1])
    for place in range(4, len(lines)):
        told.deaf = place in {6, 7}
        with path.open("ab") as file:
            file.write(lines[place])
        assert follower.look()
    assert not follower.look(), "there is nothing new"
    assert told.parts == [*range(2, len(lines) - 2)], "each line is a part"
    assert 1 < len(told.wholes) < len(told.parts) / 2, "a whole whenever it has doubled"
    assert told.number > 8, "the parts that were missed are in one"
    follower.catch_up(told.number)
    assert told.steps() == [one.step for one in well().steps]
    assert follower.recording.is_over
    follower.end()
    with path.open("ab") as file:
        file.write(lines[-1])
    assert not follower.look(), "it tells no more"


def test_a_training_that_writes_steps_again_is_told_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "record.jsonl"
    write_stream(well(), path)
    lines = path.read_bytes().splitlines(keepends=True)
    follower, told = followed(path, monkeypatch)
    path.write_bytes(b"".join(lines[:6]))
    assert follower.look()
    assert (told.parts, told.wholes) == ([], [1, 2])
    path.write_bytes(b"".join([*lines[:6], b'{"type":"step"\n', *lines[6:]]))
    assert follower.look()
    assert "problem" in {one["type"] for one in told.messages}, "a damaged line is a message"


def test_a_widget_has_the_run_and_answers(run: Path) -> None:
    widget = RecordingWidget(RunRecording(run))
    sent: list[Any] = []
    widget.send = lambda content, *_: sent.append(content)  # type: ignore[method-assign]
    assert {"hello", "records", "checkpoints", "state"} <= {one["type"] for one in json.loads(widget.recording)}

    def answer(address: str, body: Any = None) -> Any:
        widget._on_ask(widget, {"ask": 7, "address": address, "body": body}, [])
        return [one for one in sent if one.get("answer") == 7][-1]

    assert answer("./here", {"parts": widget.parts})["found"] == {"asked": True, "names": ["first"]}
    assert answer("./runs/first/others")["found"] == {"others": []}
    assert "is not being trained" in answer("./runs/first/control", {"pause_at": 0})["problem"]
    assert "there is no run 'nowhere'" in answer("./show", {"name": "nowhere"})["problem"]
    assert "nothing can be asked" in answer("./../secret")["problem"]
    assert "a request has the entries" in answer("./runs/first/control", ["rm"])["problem"]
    assert widget._following is not None
    widget._following.part += 5  # parts that the page was told since it got a whole
    last = widget._following.part
    assert answer("./show", {"name": "first"})["found"]["names"] == ["first"]
    assert widget.parts > last, "the page takes the whole of what it has not seen"
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"] == "<the viewer of first; displayed in a notebook>"
    assert "<img" in data["text/html"]
    assert "<script" not in data["text/html"]


def test_a_run_in_memory_is_shown_while_it_is_trained_and_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "POLL_SECONDS", 0.0)
    widget = RecordingWidget()
    monkeypatch.setattr("backlight.studio.notebook.widget.display", lambda _: None)
    states = []

    def look(_: Any) -> None:
        assert widget._following is not None
        widget._following.look()
        widget._following.catch_up(-1)
        states.append(json.loads(widget.recording)[-1])

    model = backlight.train(NAMES, **SIZES, watch_every=5, on_evaluation=look, progress=widget)
    assert [one["state"] for one in states] == ["training"] * 3
    assert RunRecording(model.run.store).is_over
    records = json.loads(widget.recording)
    assert records[0]["title"] == "the run in memory"
    widget.send = lambda content, *_: states.append(content)  # type: ignore[method-assign]
    widget._on_ask(widget, {"ask": 1, "address": "./here", "body": {"parts": 0}}, [])
    assert states[-1]["found"]["asked"] is False
    widget._on_ask(widget, {"ask": 2, "address": "./start", "body": {}}, [])
    assert "only a run in a folder" in states[-1]["problem"]


def test_without_a_notebook_there_is_a_still(run: Path) -> None:
    still = backlight.view(run)
    assert isinstance(still, Still)
    assert repr(still) == "<the viewer of first; displayed in a notebook>"
    assert "<img" in still._repr_html_()
    unwatched = Still(RunRecording(trained().run.store))
    assert "<img" in unwatched._repr_html_(), "losses are recorded anyway"
    shown = backlight.view()
    assert repr(shown) == "<the viewer of a training that has not begun; displayed in a notebook>"
    backlight.train(NAMES, **SIZES, progress=shown)
    assert repr(shown) == "<the viewer of the run in memory; displayed in a notebook>"


def test_without_anywidget_a_line_says_what_to_install(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(displayed, "_kernel_allows_input", lambda: True)
    assert isinstance(backlight.view(run), RecordingWidget)
    monkeypatch.setitem(sys.modules, "anywidget", None)
    still = backlight.view(run)
    assert "The viewer needs anywidget. Install: pip install 'backlight[notebook]'" in repr(still)
    assert "pip install &#x27;backlight[notebook]&#x27;" in still._repr_html_()


def test_where_no_user_is_there_is_a_still(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(displayed, "_kernel_allows_input", lambda: False)
    assert isinstance(backlight.view(run), Still)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (7, ConfigError, "a viewer shows a Model, or the path of a run; got int"),
        ("nowhere", RunError, "there is no 'nowhere'"),
        (Path(__file__), BacklightError, "a record stream begins with a line of type start"),
    ],
)
def test_what_cannot_be_shown(given: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        backlight.view(given)


def test_one_module_has_each_module_after_those_that_it_imports() -> None:
    names = VIEWER.modules('import "backlight/notebook.js"')
    assert names[-1] == "notebook.js"
    for place, name in enumerate(names):
        assert set(VIEWER.modules(VIEWER.content(name).decode())) <= set(names[:place])


def test_a_run_in_a_folder_says_itself_who_trains_it(run: Path) -> None:
    recording = RunRecording(RunDirectory.open(run), trained=True)
    assert not recording.is_trained
    assert recording.is_over
