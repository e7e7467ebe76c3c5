"""Which names of a dictionary are wrong, said by their endings: "those that end with mlp.c_proj.weight"."""

from collections.abc import Sequence

MOST = 4
"""So many endings are named at most."""


def endings(wrong: Sequence[str], right: Sequence[str]) -> list[str]:
    """Return the shortest endings that all wrong names have and no right one; an empty list if they are too many.

    Args:
        wrong: names with dots, such as "h.0.mlp.c_fc.weight"; others are left out.
        right: the other names.
    """
    names = [name for name in wrong if _dotted(name)]
    others = [name for name in right if _dotted(name)]
    found: list[str] = []
    for name in names:
        if any(_ends(name, end) for end in found):
            continue
        pieces = name.split(".")
        ways = (".".join(pieces[at:]) for at in range(len(pieces) - 1, -1, -1) if not pieces[at].isdigit())
        end = next((way for way in ways if not any(_ends(other, way) for other in others)), name)
        found.append(end)
    return found if len(names) > 1 and len(found) <= MOST else []


def _ends(name: str, end: str) -> bool:
    return name == end or name.endswith(f".{end}")


def _dotted(name: str) -> bool:
    return "." in name and " " not in name
