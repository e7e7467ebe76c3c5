"""`backlight gradcheck`: check every gradient against PyTorch and central differences."""

from typing import Annotated

import typer
from rich.console import Console

from backlight.cli.output import Json, console, print_json, table
from backlight.gradcheck.row import DIFFERENCES_BOUND, TORCH_BOUND, Row
from backlight.models import MODELS

_ALL = "all"
_NEURAL = [name for name, spec in MODELS.items() if not spec.counted]


def gradcheck(
    model: Annotated[
        str | None,
        typer.Option(help=f"Check each parameter of this model: {', '.join(_NEURAL)}, or all.", metavar="NAME"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the inputs and of the output gradients.", min=0)] = 1,
    json_output: Json = False,
) -> None:
    """Check every gradient against PyTorch and central differences.

    It checks all ops and layers, or the parameters of a model. The exit code is 1 if a difference exceeds its bound.
    """
    from backlight.gradcheck.suite import torch_version

    torch = torch_version()
    out = console(json_output=json_output)
    rows: list[Row] = []
    for title in ["op", "layer"] if model is None else _NEURAL if model == _ALL else [model]:
        with out.status(f"{title} ..."):
            found = _check(title, seed)
        if not rows:
            _explain(out, torch, model)
        _show(out, title, found, both=torch is not None)
        rows += found
    wrong = [row for row in rows if row.wrong]
    _conclude(out, len(rows), wrong)
    if json_output:
        print_json({"seed": seed, "torch": torch, "rows": [row.to_json() for row in rows], "wrong": len(wrong)})
    if wrong:
        raise typer.Exit(1)


def _check(group: str, seed: int) -> list[Row]:
    from backlight.gradcheck.suite import check_layers, check_model, check_ops

    checks = {"op": check_ops, "layer": check_layers}
    return checks[group](seed) if group in checks else check_model(group, seed)


def _explain(out: Console, torch: str | None, model: str | None) -> None:
    if torch is None:
        out.print("PyTorch is not installed, so it has no column: pip install 'backlight[torch]'")
    else:
        out.print(f"PyTorch  largest difference from PyTorch {torch}, both in float64")
    out.print("central  largest difference from central differences, in float64")
    out.print("Differences are relative to the gradient's largest element. Output gradients are Gaussian.")
    if model is not None:
        out.print("The models are small, so that each weight can be perturbed by itself.")


def _show(out: Console, title: str, rows: list[Row], *, both: bool) -> None:
    marked = any(row.wrong for row in rows)
    columns = (title, "cases", *(("PyTorch", "bound") if both else ()), "central", "bound", *(("",) if marked else ()))
    shown = table(*columns, text=(title, ""))
    for row in rows:
        torch = (_share(row.torch), f"{TORCH_BOUND:.0e}") if both else ()
        cells = (row.name, str(row.cases), *torch, _share(row.differences), f"{DIFFERENCES_BOUND:.0e}")
        if row.wrong:
            shown.add_row(*cells, "wrong", style="bold red")
        else:
            shown.add_row(*cells)
    out.print()
    out.print(shown)


def _share(share: float | None) -> str:
    if share is None:
        return "-"
    return f"{share:.1e}" if share else "0"


def _conclude(out: Console, count: int, wrong: list[Row]) -> None:
    if not wrong:
        out.print(f"\n{count} of {count} within bounds.")
        return
    out.print(f"\n{len(wrong)} of {count} wrong. Largest differences:")
    for row in wrong:
        out.print(f"  {row.name}: {_share(row.differences)} from central differences, {row.differences_case}")
        if row.torch is not None:
            out.print(f"  {row.name}: {_share(row.torch)} from PyTorch, {row.torch_case}")
