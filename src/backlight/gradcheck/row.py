"""The result of a check: how far a gradient is off, beside how far it may be."""

from dataclasses import dataclass

TORCH_BOUND = 1e-10
"""Two float64 computations of one gradient differ by rounding: by 1e-13 of its scale, and seldom more."""

DIFFERENCES_BOUND = 1e-7
"""Central differences are right to about 1e-9 of the gradient's scale; a slip of the pen is 1e-3 and more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """How far one op, layer or parameter is off at worst, as a share of its gradient's scale.

    Attributes:
        group: "op", "layer", or the model whose parameter it is.
        name: of the op, layer or parameter.
        cases: on how many inputs it was tried.
        torch: the largest difference from PyTorch in float64, inf (null in JSON) where only one of both is finite; None
            if PyTorch is not installed.
        torch_case: the case in which that was.
        differences: the largest difference from central differences, likewise; None where no case is smooth.
        differences_case: the case in which that was.
    """

    group: str
    name: str
    cases: int
    torch: float | None
    torch_case: str | None
    differences: float | None
    differences_case: str | None

    @property
    def wrong(self) -> bool:
        """Whether one of both is beyond its bound."""
        return (self.torch or 0.0) > TORCH_BOUND or (self.differences or 0.0) > DIFFERENCES_BOUND

    def to_json(self) -> dict[str, object]:
        """Return the row as plain figures, each difference beside its bound."""
        return {
            "group": self.group, "name": self.name, "cases": self.cases,
            "torch": self.torch, "torch_bound": TORCH_BOUND, "torch_case": self.torch_case,
            "differences": self.differences, "differences_bound": DIFFERENCES_BOUND,
            "differences_case": self.differences_case, "wrong": self.wrong,
        }  # fmt: skip
