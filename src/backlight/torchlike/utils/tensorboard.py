"""`torch.utils.tensorboard.SummaryWriter`: numbers of a run, written as lines of JSON."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from backlight.core import OperandError, missing
from backlight.core.arguments import shown

__all__ = ["SummaryWriter"]

__path__: list[str] = []  # as of a package, so that an import of a name that is not there is explained
__getattr__ = missing.names_of("torch.utils.tensorboard", missing.UTILS)


class SummaryWriter:
    """Append numbers to `scalars.jsonl` in a folder: one JSON object a line, with tag, value, step and time.

    TensorBoard does not read this file; any program that reads JSON does.

    Args:
        log_dir: the folder, which is made at the first number; "runs" by default.
        comment: appended to the default folder.
        settings: PyTorch's further arguments, which change nothing.
    """

    def __init__(self, log_dir: str | Path | None = None, comment: str = "", **settings: Any) -> None:
        del settings
        self.log_dir = str(log_dir or f"runs{comment}")

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: int | None = None, walltime: float | None = None, **_: Any
    ) -> None:
        """Append a number.

        Args:
            tag: its name.
            scalar_value: the number, or a tensor with a single element.
            global_step: the step.
            walltime: seconds since 1970; now by default.

        Raises:
            OperandError: not a number.
        """
        try:
            value = float(scalar_value)
        except (TypeError, ValueError):
            raise OperandError(f"add_scalar takes a number; got {shown(scalar_value)}.") from None
        step = None if global_step is None else int(global_step)
        line = {"tag": tag, "value": value, "step": step, "time": time.time() if walltime is None else walltime}
        folder = Path(self.log_dir)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "scalars.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def add_scalars(
        self, main_tag: str, tag_scalar_dict: Mapping[str, Any], global_step: int | None = None, **_: Any
    ) -> None:
        """Append several numbers, named `main_tag/tag`."""
        for tag, value in tag_scalar_dict.items():
            self.add_scalar(f"{main_tag}/{tag}", value, global_step)

    def flush(self) -> None:
        """Do nothing: every number is written at once."""

    def close(self) -> None:
        """Do nothing: every number is written at once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
