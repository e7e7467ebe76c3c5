"""The live server: what it sends, and whom and what it refuses. Nothing here trains."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="needs the extra [studio]")

from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

import backlight
from backlight.core import BacklightError, RunError
from backlight.runs import RunDirectory
from backlight.studio import line_index
from backlight.studio.beside import curves
from backlight.studio.recording import RunRecording
from backlight.studio.server import app as server
from backlight.studio.server import feeds
from backlight.studio.server.app import Studio, application
from backlight.studio.server.feeds import Feed
from backlight.studio.server.guard import OnlyOwnPages
from backlight.studio.trainings import Wish
from backlight.training import Run, RunConfig, Trainer, branched, trainer
from backlight.training.control import Control, Request, ask, paused_at

TOKEN = "in-the-address"  # noqa: S105
HOST = "http://127.0.0.1:8000"
OWN = {"Host": "127.0.0.1:8000"}
"""The test client opens sockets as the host "testserver"."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    names = ["emma", "olivia", "ava", "mia", "noah", "liam", "<script>"] * 6
    backlight.train(
        names, model="bigram", steps=30, eval_interval=10, watch_every=5, run=folder / "small", progress=False
    )
    (folder / "not-a-run.txt").write_text("secret")
    return folder


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "runs"))


@pytest.fixture
def client(runs: Path) -> Iterator[TestClient]:
    app = OnlyOwnPages(application(Studio(runs=runs)), token=TOKEN, port=8000)
    with TestClient(app, base_url=HOST) as made:
        yield made


def messages_of(client: TestClient, name: str, count: int = 1) -> list[dict[str, Any]]:
    with client.websocket_connect(f"/{TOKEN}/runs/{name}/records", headers=OWN) as socket:
        return [message for _ in range(count) for message in json.loads(socket.receive_text())]


def test_a_page_and_its_files_need_the_token(client: TestClient) -> None:
    page = client.get(f"/{TOKEN}/")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert client.get(f"/{TOKEN}/viewer/plot.js").headers["Content-Type"].startswith("text/javascript")
    for path in ("/", "/viewer/plot.js", "/another/", f"/{TOKEN[:-1]}/", f"//{TOKEN}/"):
        answer = client.get(path)
        assert (answer.status_code, answer.text.count("\n")) == (403, 1)
        assert "token" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example:8000"}, {"Host": "127.0.0.1:9"},
        {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://127.0.0.1:9"},
    ],
)  # fmt: skip
def test_other_origins_hosts_and_sites_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    assert client.get(f"/{TOKEN}/runs", headers=headers).status_code == 403
    assert client.post(f"/{TOKEN}/start", headers=headers, json={}).status_code == 403
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(f"/{TOKEN}/runs/small/records", headers={**OWN, **headers}),
    ):
        pass
    assert client.get(f"/{TOKEN}/runs", headers={"Origin": HOST, "Sec-Fetch-Site": "same-origin"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["viewer/..%2fassets.py", "viewer/%2e%2e%2fassets.py", "viewer/../assets.py", "viewer/assets.py", "viewer/%00.js"],
)
def test_no_path_leads_out_of_the_viewer(client: TestClient, path: str) -> None:
    assert client.get(f"/{TOKEN}/{path}").status_code == 404


@pytest.mark.parametrize("name", ["not-a-run.txt", "%2e%2e", "texts", "nothing"])
def test_only_runs_of_the_list_can_be_looked_at(client: TestClient, name: str) -> None:
    found = messages_of(client, name)
    assert [one["type"] for one in found] == ["problem"]
    assert "no run" in found[0]["text"]


def test_a_page_gets_the_whole_run(client: TestClient) -> None:
    hello, records, *rest = messages_of(client, "small")
    assert (hello["type"], hello["version"], hello["title"], hello["total_steps"]) == ("hello", 1, "small", 30)
    kinds = [one["type"] for one in records["records"]]
    assert (kinds.count("step"), kinds.count("evaluation"), kinds[-1]) == (14, 4, "end")
    assert rest[-1] == {"type": "state", "state": "finished", "step": 0, "about": ""}


def test_the_list_of_runs(client: TestClient) -> None:
    found = client.get(f"/{TOKEN}/runs").json()
    assert [(one["name"], one["state"]) for one in found["runs"]] == [("small", "finished")]
    assert {"bigram", "gpt"} <= {one["name"] for one in found["models"]}


def test_runs_on_the_same_text_can_be_laid_beside_another(client: TestClient, runs: Path) -> None:
    origin = Run.open(runs / "small")
    for name, step in (("branch", 30), ("sibling", 0)):
        branched(origin, runs / name, step=step, options={"steps": 40})
    backlight.train(
        ["one", "two", "three", "four"] * 5, model="bigram", steps=1, run=runs / "other-text", progress=False
    )
    of = {name: client.get(f"/{TOKEN}/runs/{name}/others").json()["others"] for name in ("small", "branch")}
    assert sorted(of["small"], key=lambda one: one["name"]) == [
        {"name": "branch", "about": "branch from step 30"}, {"name": "sibling", "about": "branch from step 0"},
    ]  # fmt: skip
    assert {one["name"]: one["about"] for one in of["branch"]} == {
        "small": "parent", "sibling": "branch of the same run, from step 0",
    }  # fmt: skip
    message = client.get(f"/{TOKEN}/runs/small/others/branch").json()
    assert (message["type"], message["name"], message["scale"], message["live"]) == ("curves", "branch", 1.0, False)
    assert [one["type"] for one in message["records"]].count("loss") == 30
    assert client.get(f"/{TOKEN}/runs/small/others/nothing").status_code == 400
    assert client.get(f"/{TOKEN}/runs/small/others/..%2fsmall").status_code == 404
    steps = [one for one in messages_of(client, "branch") if one["type"] == "checkpoints"]
    assert steps == [{"type": "checkpoints", "steps": [0, 30], "bytes": 0}]


def test_losses_of_other_tokens_are_brought_to_the_units_of_the_run_shown(tmp_path: Path) -> None:
    names = ["emma", "olivia", "ava", "mia", "noah", "liam"] * 8
    options: Any = {"model": "bigram", "steps": 4, "eval_interval": 2, "tokens": "bpe:266", "progress": False}
    for name, watched in (("watched", 1), ("other", None)):
        backlight.train(names, watch_every=watched, run=tmp_path / name, **options)
    shown, other = (RunDirectory.open(tmp_path / name) for name in ("watched", "other"))
    stream = [json.loads(line) for line in shown.load_health().splitlines()]
    expected = [one["dev"] for one in stream if one["type"] == "evaluation"]
    message = json.loads(curves(other, shown))
    found = [message["scale"] * one["dev"] for one in message["records"] if one["type"] == "evaluation"]
    assert found == pytest.approx(expected, rel=1e-5), "the same training, once in nats per token"
    assert message["scale"] > 1.2
    assert json.loads(curves(shown, other))["scale"] == 1.0


def test_too_many_sockets_are_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_SOCKETS", 1)
    path = f"/{TOKEN}/runs/small/records"
    with client.websocket_connect(path, headers=OWN) as first:
        with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(path, headers=OWN):
            pass
        assert "At most 1 pages" in refused.value.reason
        assert json.loads(first.receive_text())
    assert messages_of(client, "small")


def test_an_oversized_text_is_refused_before_it_is_read(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_MOST_BODY", 1_000)
    for drop in ((b"x" * 1_000 for _ in range(2_000)), b"x" * 2_000):  # of unknown and of known length
        answer = client.post(f"/{TOKEN}/start", content=drop)
        assert answer.status_code == 400
        assert "a page may send 1,000 bytes" in answer.json()["problem"]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([], "object"), ({"text": " "}, "empty"), ({"text": "a", "at_step": 3}, "at_step"),
        ({"text": "a", "model": "big"}, "big"),
        ({"text": "a", "steps": 0}, "steps"), ({"text": "a", "lr": "x"}, "lr"), ({"text": "a", "run": "x"}, "run"),
    ],
)  # fmt: skip
def test_a_training_that_cannot_be_is_refused_in_one_line(client: TestClient, values: Any, word: str) -> None:
    answer = client.post(f"/{TOKEN}/start", json=values)
    assert answer.status_code == 400
    assert word in answer.json()["problem"]
    assert "\n" not in answer.json()["problem"]


def test_a_run_that_nobody_trains_cannot_be_asked(client: TestClient, runs: Path) -> None:
    answer = client.post(f"/{TOKEN}/runs/small/control", json={"pause_at": 0})
    assert "not being trained" in answer.json()["problem"]
    assert not (runs / "small" / "control.json").exists()
    assert client.post(f"/{TOKEN}/runs/..%2f/control", json={}).status_code in {400, 404}


def test_what_is_new_follows_what_was_there(runs: Path) -> None:
    stream = runs / "small" / "health.jsonl"
    data = stream.read_bytes()
    lines = data.splitlines(keepends=True)
    stream.write_bytes(b"".join(lines[:20]))
    recording = RunRecording(runs / "small")
    recording.news()
    assert len(json.loads(recording.whole()[1])["records"]) == 20
    with stream.open("ab") as file:
        file.write(b"".join(lines[20:23]) + lines[23][:9])
    (new,) = recording.news() or []
    assert json.loads(new)["records"] == [json.loads(line) for line in lines[20:23]]
    stream.write_bytes(b"".join(lines[:10]))  # a training that was resumed has cut it
    assert recording.news() is None
    assert len(json.loads(recording.whole()[1])["records"]) == 10
    (found,) = [json.loads(one) for one in recording.diagnose()][-1:]
    assert found["type"] == "diagnosis"


def test_a_run_that_is_not_watched_shows_its_metrics(runs: Path) -> None:
    (runs / "small" / "health.jsonl").unlink()
    recording = RunRecording(runs / "small")
    recording.news()
    records = json.loads(recording.whole()[1])["records"]
    assert sum(one["type"] == "evaluation" for one in records) == 4
    losses = [one for one in records if one["type"] == "loss"]
    assert len(losses) == 30
    assert all("lr" in one for one in losses)
    assert recording.diagnose() == []


def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path) -> None:
    wrong = tmp_path / "notes.txt"
    wrong.write_text("hello")
    for path in (wrong, tmp_path / "nothing"):
        with pytest.raises(BacklightError) as caught:
            RunRecording(path)
        assert "\n" not in str(caught.value)


def test_a_stalled_page_keeps_little_and_then_gets_everything(runs: Path) -> None:
    async def stalled() -> None:
        feed = Feed(runs / "small")
        page = feed.open()
        assert json.loads(await feed.take(page))[0]["type"] == "hello"
        page.put([b'"news"'])
        assert await feed.take(page) == b'["news"]'
        for _ in range(1_000):
            page.put([b'"x"'])
        assert len(page._waiting) <= 32
        assert json.loads(await feed.take(page))[0]["type"] == "hello"
        feed.close(page)
        assert feed._tasks == [], "nobody looks, nothing runs"

    asyncio.run(stalled())


def test_a_long_recording_comes_as_an_overview_first(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "LONG_BYTES", 100)
    monkeypatch.setitem(line_index.MOST_BYTES, "step", 10_000)

    async def opened() -> list[int]:
        feed = Feed(runs / "small")
        page = feed.open()
        async with asyncio.timeout(30):  # without an end, if nothing follows
            found = [json.loads(await feed.take(page))]
            page.put([b'"it is in what follows"'])
            found.append(json.loads(await feed.take(page)))
        feed.close(page)
        assert [one[0]["type"] for one in found] == ["hello", "hello"], "the page forgets the overview"
        assert page.take() == [], "what was told before is in what it got"
        return [sum(record["type"] == "step" for record in one[1]["records"]) for one in found]

    few, more = asyncio.run(opened())
    assert 1 < few < more


def test_files_are_read_again_only_if_they_have_changed(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = RunRecording(runs / "small")
    assert recording.news()
    with monkeypatch.context() as broken:
        broken.setattr(line_index.LineIndex, "grow", None)
        assert recording.news() == []
    with (runs / "small" / "samples.jsonl").open("ab") as file:
        file.write(b'{"type":"samples","step":30,"samples":["new"]}\n')
    assert [json.loads(one)["samples"] for one in recording.news() or []] == [["new"]]
    (runs / "small" / "result.json").unlink()
    assert [json.loads(one)["state"] for one in recording.news() or []] == ["stopped"]
    (runs / "small" / "health.jsonl").write_bytes(b"what\n" * 1_000)
    recording.news()
    with pytest.raises(BacklightError):
        recording.diagnose()


# -- what a training is asked ------------------------------------------------------------------------------------------


def test_a_request_is_seen_once_and_old_ones_never(runs: Path) -> None:
    run = RunDirectory.open(runs / "small")
    ask(run, Request(pause_at=0))
    control = Control(run)
    assert control.news() is None, "it was there before the training began"
    ask(run, Request(pause_at=7, lr=0.5))
    assert control.news() == Request(pause_at=7, lr=0.5)
    assert control.news() is None
    (run.path / "control.json").write_text('{"pause_at": "soon"}')
    assert control.news() is None, "no training ends for what another process has written"
    assert paused_at(run) is None
    control.tell(paused=True, step=7)
    assert paused_at(run) == 7
    control.tell(paused=False, step=7)
    assert paused_at(run) is None


@pytest.mark.parametrize("values", [{"pause_at": -1}, {"lr": 0}, {"lr": "NaN"}, {"stop": 1}, {"other": 1}, 3])
def test_a_request_that_makes_no_sense_is_refused(values: Any) -> None:
    with pytest.raises(RunError):
        Request.from_json(values)


def test_a_training_does_what_it_is_asked(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "PROGRESS_SECONDS", 0.0)  # it looks after every step
    config = RunConfig.of("names", model="bigram", steps=6)
    run = Run.create(config, runs / "asked")
    # one step; another rate, and run to step 4; go on
    requests = iter([Request(pause_at=2), Request(pause_at=4, lr=0.01), Request()])
    pauses: list[int | None] = []

    def paused(step: int | None) -> None:
        pauses.append(step)
        if step is not None:
            assert paused_at(run.store) == step
            ask(run.store, next(requests))

    def setup(made: Trainer) -> None:
        made.on_pause = paused
        made.on_evaluation = lambda record: ask(run.store, Request(pause_at=0)) if record.step == 0 else None

    assert run.train(setup)
    assert pauses == [1, None, 2, None, 4, None]
    assert [json.loads(line) for line in (run.path / "changes.jsonl").read_text().splitlines()] == [
        {"step": 2, "lr": 0.01}
    ]
    rates = [one["lr"] for one in run.store.load_metrics() if "loss" in one]
    assert config.train is not None
    before, after = config.train.rate(), replace(config.train, lr=0.01).rate()
    assert rates == [before(0), before(1), *(after(step) for step in range(2, 6))]


def test_a_stopped_training_keeps_its_changed_rate(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "PROGRESS_SECONDS", 0.0)
    run = Run.create(RunConfig.of("names", model="bigram", steps=6), runs / "stopped")

    def setup(made: Trainer) -> None:
        made.on_evaluation = lambda record: ask(run.store, Request(lr=0.01, stop=True)) if record.step == 0 else None

    assert not run.train(setup)
    again = Run.open(runs / "stopped").trainer()
    assert (again.step, again.lr) == (1, 0.01)


def test_the_wish_of_a_page() -> None:
    wish = Wish.from_json({"text": "a\nb", "model": "gru", "steps": 5, "lr": 0.1, "name": "../x.txt"})
    assert (wish.model, wish.steps) == ("gru", 5)
