"""Situations without a public report: a healthy run, and the same with the learning rate at 0 or a layer left out."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from tests.faults.public.case import Case, Run, fault

Built = Callable[[], Run]


def rate_zero(what: str, enough: float, **more: Any) -> Callable[[Built], Case]:
    """Make a case of a healthy run: its fault is a learning rate of 0."""

    def decorate(make: Built) -> Case:
        def made(faulty: bool) -> Run:
            run = make()
            for group in _groups(run) if faulty else ():
                group["lr"] = torch.zeros_like(group["lr"]) if isinstance(group["lr"], torch.Tensor) else 0.0
            return run

        made.__name__ = make.__name__
        return fault(what=f"{what}; the learning rate is 0", enough=enough, names={"no-step"}, **more)(made)

    return decorate


def left_out(what: str, enough: float, **more: Any) -> Callable[[Built], Case]:
    """Make a case of a healthy run: its fault is that the optimiser lacks the first module with a matrix."""

    def decorate(make: Built) -> Case:
        def made(faulty: bool) -> Run:
            run = make()
            module = next(one for one in run.net.modules() if any(p.ndim > 1 for p in one.parameters(recurse=False)))
            missing = {id(one) for one in module.parameters(recurse=False)}
            for group in _groups(run) if faulty else ():
                group["params"] = [one for one in group["params"] if id(one) not in missing]
            return run

        made.__name__ = f"{make.__name__}_left_out"
        names = {"not-in-optimiser"}
        return fault(what=f"{what}; the optimiser lacks the first layer", enough=enough, names=names, **more)(made)

    return decorate


def _groups(run: Run) -> Iterable[Any]:
    optimisers = run.optimiser if isinstance(run.optimiser, tuple) else (run.optimiser,)
    return [group for one in optimisers for group in one.param_groups]
