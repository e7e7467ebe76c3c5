"""What to say about a name of PyTorch's that is not here."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches

_FEW = 12  # names that fit a line


def names_of(module: str, names: Sequence[str], instead: str = "") -> Callable[[str], object]:
    """Return a module's `__getattr__`: it raises AttributeError in one line that names what comes nearest.

    Args:
        module: the module's full name.
        names: what the module has.
        instead: where to turn for what it will not have.
    """

    def missing(name: str) -> object:
        near = get_close_matches(name, names, n=5, cutoff=0.5) or (names if len(names) <= _FEW else ())
        has = f"it has {', '.join(near)}" if near else f"dir({module}) lists the {len(names)} names it has"
        raise AttributeError(f"{module} has no {name!r} yet; {has}.{instead}", name=name)

    return missing
