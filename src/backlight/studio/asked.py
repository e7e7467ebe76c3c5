"""What a page asks: runs to choose from, new trainings, requests to one that goes on, and losses of other runs.

A live page asks the server, a notebook its kernel; docs/viewer_messages.md lists what can be asked.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from backlight.core import RunError
from backlight.models import MODELS
from backlight.runs import RunDirectory, list_runs
from backlight.runs.locking import is_trained
from backlight.studio.beside import curves, others
from backlight.studio.trainings import MOST_TEXT, Trainings, Wish
from backlight.training.control import Request, ask

_ADDRESS: Final = re.compile(r"\./(?:(runs|start)|runs/([^/]+)/(control|resume|others)(?:/([^/]+))?)")


class Asked:
    """The runs in a folder, and what may be asked of them.

    Args:
        runs: the folder; only runs in it can be looked at, and `given`.
        given: a run or a record stream that is shown first; None for the newest run.
    """

    def __init__(self, runs: Path, given: Path | None = None) -> None:
        self.runs = runs
        self.given = given
        self._trainings = Trainings(runs)

    def path(self, name: str) -> Path:
        """Return the path of a run by the name that `listing` gives it.

        Raises:
            RunError: it is not in the list.
        """
        if self.given is not None and name == self.given.name:
            return self.given
        found = {one.path.name: one.path for one in list_runs(self.runs)}.get(name)
        if found is None:
            raise RunError(f"there is no run {name!r:.60} in {self.runs}. Choose one of the list.")
        return found

    def run(self, name: str) -> RunDirectory:
        """Return a run by its name.

        Raises:
            RunError: there is none, or it is a record stream, whose training cannot be asked anything.
        """
        path = self.path(name)
        if not path.is_dir():
            raise RunError(
                f"only a run of Backlight can be paused or stopped; {path.name} is a record of another loop."
            )
        return RunDirectory.open(path)

    def listing(self) -> dict[str, Any]:
        """Return the runs, the newest first, and what a training may be."""
        runs = [
            {"name": one.path.name, "model": one.model, "text": one.corpus, "state": one.state, "step": one.step}
            for one in reversed(list_runs(self.runs)) if one.problem is None
        ]  # fmt: skip
        if self.given is not None and self.given.name not in {one["name"] for one in runs}:
            runs.insert(0, {"name": self.given.name, "model": None, "text": None, "state": "watched", "step": None})
        models = [
            {"name": one.name, "steps": None if one.train is None else one.train.get("steps"),
             "lr": None if one.train is None else one.train.get("lr")}
            for one in MODELS.values()
        ]  # fmt: skip
        return {"runs": runs, "given": self.given and self.given.name, "models": models, "most_text": MOST_TEXT}

    def start(self, values: Any) -> dict[str, Any]:
        """Start a training, and return its name.

        Raises:
            ConfigError, RunError: it cannot begin; the message says why.
        """
        wish, parameters = Wish.from_json(values), None
        if wish.start is not None:
            origin = self.run(wish.start)
            wish = replace(wish, start=str(origin.path), model=origin.config["model"]["name"])
            parameters = origin.config.get("parameters")
        return {"name": self._trainings.start(wish, parameters=parameters).name}

    def others(self, name: str) -> dict[str, Any]:
        """Return the runs whose losses can be laid over those of one."""
        return {"others": others(self.run(name), list_runs(self.runs))}

    def curves(self, name: str, other: str) -> bytes:
        """Return the losses of another run, as a message."""
        return curves(self.run(other), self.run(name))

    def control(self, name: str, values: Any) -> dict[str, Any]:
        """Ask something of a training that goes on.

        Raises:
            RunError: it does not go on, or what is asked is no request.
        """
        run, wanted = self.run(name), Request.from_json(values)
        if not is_trained(run.path):
            raise RunError(f"{run.path.name} is not being trained, so it cannot be asked anything. Resume it first.")
        ask(run, wanted)
        return {}

    def resume(self, name: str) -> dict[str, Any]:
        """Go on with a training that was stopped.

        Raises:
            RunError: it goes on already, or cannot go on.
        """
        run = self.run(name)
        if is_trained(run.path):
            raise RunError(f"{run.path.name} is being trained already. Pause or stop it first.")
        self._trainings.resume(run.path)
        return {}

    def answer(self, address: str, values: Any) -> Mapping[str, Any]:
        """Return the answer to a page that has no server, by the address that it would ask there.

        Args:
            address: such as "./runs/names-mlp-1/control".
            values: what is sent to it.

        Raises:
            BacklightError: it is refused; the message says why.
        """
        found = _ADDRESS.fullmatch(address)
        if found is None:
            raise RunError(f"nothing can be asked at {address!r:.60}.")
        whole, *names = found[1], *(unquote(one or "") for one in (found[2], found[4]))
        name, other = names
        if whole:
            return self.listing() if whole == "runs" else self.start(values)
        if found[3] == "others":
            return json.loads(self.curves(name, other)) if other else self.others(name)
        return self.control(name, values) if found[3] == "control" else self.resume(name)
