"""The checkpoints of a training that is divided among processes: all of them write, and read, their parts."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from backlight.core import Array, RunError
from backlight.runs import RunDirectory, RunStore
from backlight.runs.atomic import placed_atomically
from backlight.runs.failures import cannot_write
from backlight.runs.kept import keep
from backlight.runs.shards import SHARDS, Layout, check_parts, joined, next_folder
from backlight.training.engine import Parts
from backlight.training.group import ProcessGroup

_STEPS = "optimiser.steps"


class ShardedCheckpoints:
    """Saves and restores a divided training; see `runs/shards.py`. All processes call each method together.

    Args:
        run: the run, in a folder that all processes see.
        parts: what is divided.
        group: the processes.

    Raises:
        RunError: the run is in memory.
    """

    def __init__(self, run: RunStore, parts: Parts, group: ProcessGroup) -> None:
        if not isinstance(run, RunDirectory):
            raise RunError(f"a divided training needs a run in a folder; got {run.name}. Give the run a path.")
        self._run, self._parts, self._group = run, parts, group

    def save(self, buffers: Mapping[str, Array], facts: Mapping[str, Any], *, keep_at: int | None) -> None:
        """Write a checkpoint atomically.

        Args:
            buffers: the arrays that are not divided, of any shape by name.
            facts: its metadata.
            keep_at: also keep a whole copy of it, as the one of this step; None keeps none.

        Raises:
            RunError: it cannot be written.
        """
        is_first = self._group.rank == 0
        with self._group.together(), ExitStack() as stack:
            place = [self._run.path]
            if is_first:
                has = self._run.has_checkpoint
                place = [next_folder(self._run.path, Layout.of(self._run.load_unjoined()[1]) if has else None)]

            def begin() -> Path:
                temporary = stack.enter_context(placed_atomically(place[0]))
                temporary.mkdir()
                return temporary

            temporary = self._group.from_first(begin)
            try:
                self._parts.save_parts(temporary)
            except OSError as error:
                raise cannot_write(place[0], error, state="the last checkpoint is unchanged") from error
        if not is_first:
            return
        layout = Layout(place[0].name, self._parts.layout)
        own = {**buffers, _STEPS: np.array(self._parts.taken)}
        if keep_at is not None:  # before the checkpoint: a training that is killed in between comes by here again
            keep(self._run, keep_at, own | joined(self._run.path, layout), facts)
        self._run.save_checkpoint(own, {**facts, SHARDS: layout.to_json()})

    def load(self) -> dict[str, Any] | None:
        """Restore the parts of the last checkpoint, and return its metadata; None if that checkpoint is whole.

        Raises:
            RunError: it is damaged.
        """
        arrays, facts = self._run.load_unjoined()
        layout = Layout.of(facts)
        if layout is None:
            return None
        self._group.from_first(lambda: bool(check_parts(self._run.path, layout)))
        with self._group.together():
            self._parts.load_parts(self._run.path / layout.folder, taken=int(arrays[_STEPS]))
        del facts[SHARDS]
        return facts

    def join(self) -> None:
        """Make the last checkpoint whole."""
        if self._group.rank == 0:
            self._run.save_checkpoint(*self._run.load_checkpoint())
