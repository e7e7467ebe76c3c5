"""The result of a check: the error of a gradient, and its bound."""

from dataclasses import dataclass

TORCH_BOUND = 1e-10
"""Two float64 computations of a gradient differ by rounding, by about 1e-13 relative to its scale."""

DIFFERENCES_BOUND = 1e-7
"""Central differences are accurate to about 1e-9 of the gradient's scale; a mistake gives an error of 1e-3 or more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """The largest error of an op, a layer or a parameter, relative to the scale of its gradient.

    Attributes:
        group: "op", "layer", or the name of the model that has the parameter.
        name: the name of the op, layer or parameter.
        cases: the number of cases.
        torch: the largest difference from PyTorch in float64; inf (null in JSON) if only one of the two is finite; None
            if PyTorch is not installed.
        torch_case: the case with that difference.
        differences: the largest difference from central differences, likewise; None if no case is smooth.
        differences_case: the case with that difference.
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
        """Whether one of the differences is above its bound."""
        return (self.torch or 0.0) > TORCH_BOUND or (self.differences or 0.0) > DIFFERENCES_BOUND

    def to_json(self) -> dict[str, object]:
        """Return the row as plain values, each difference with its bound."""
        return {
            "group": self.group, "name": self.name, "cases": self.cases,
            "torch": self.torch, "torch_bound": TORCH_BOUND, "torch_case": self.torch_case,
            "differences": self.differences, "differences_bound": DIFFERENCES_BOUND,
            "differences_case": self.differences_case, "wrong": self.wrong,
        }  # fmt: skip
