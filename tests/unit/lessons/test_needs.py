"""Which statements an answer needs, and what of a file is Python. Each case was run in order, as the oracle."""

import ast
import json
from pathlib import Path

import pytest

from backlight.core import DataError
from backlight.lessons.checking.needs import needed
from backlight.lessons.checking.sources import Piece, read_pieces
from backlight.lessons.checking.statements import TopLevelStatement, statements_of


def pieces_of(folder: Path, *cells: str) -> list[Piece]:
    path = folder / "work.ipynb"
    content = {"cells": [{"cell_type": "code", "source": cell} for cell in cells]}
    path.write_text(json.dumps(content), encoding="utf-8")
    return read_pieces(path)


def run(statements: list[TopLevelStatement], indices: list[int]) -> dict:
    names: dict = {}
    for index in indices:
        code = compile(ast.unparse(statements[index].node), "cell", "exec")
        exec(code, names)  # noqa: S102  (what the test is about)
    return names


CASES = {
    "a chain of definitions": (["a = 2\nb = 3", "c = a + 1\nd = b", "def answer(): return c"], {"a = 2", "c = a + 1"}),
    "the last definition before": (["a = 1", "a = 2", "b = a\na = 3", "def answer(): return b"], {"a = 2", "b = a"}),
    "the definition at the call": (["m = 1", "m = 2\ndef answer(): return m", "m = 3"], {"m = 2"}),
    "a helper below": (["def answer(): return helper()\ndef helper(): return 5"], {"def helper()"}),
    "a helper's name when it was called": (
        ["k = 1\ndef f(): return k", "x = f()", "k = 2", "def answer(): return x"],
        {"k = 1", "def f()", "x = f()"},
    ),
    "a lambda that is called at once": (
        ["k = 3\ndef f(): return k", "x = (lambda: f())()", "k = 4", "def answer(): return x"],
        {"k = 3", "def f()", "x = (lambda", "k = 4"},
    ),
    "changes by a method": (
        ["xs = []", "xs.append(1)", "n = 1", "def answer(): return sum(xs)"],
        {"xs = []", "xs.app"},
    ),
    "changes by an item": (["d = {}", "d['a'] = 4", "def answer(): return d['a']"], {"d = {}", "d['a']"}),
    "changes in a loop": (["t = 0", "for i in range(4):\n    t += i", "def answer(): return t"], {"t = 0", "for i"}),
    "changes by a call": (
        ["import random", "xs = [3, 1]", "def up(v): v.sort()", "up(xs)", "def answer(): return xs[0]"],
        {"xs = [", "def up", "up(xs)"},
    ),
    "a condition": (["a = 1", "if a > 5:\n    a = 2", "def answer(): return a"], {"a = 1", "if a"}),
    "a seed": (
        ["import random", "random.seed(3)", "x = random.random()", "def answer(): return x"],
        {"import random", "random.seed", "x = "},
    ),
    "a comprehension": (["n = 3", "xs = [i * n for i in range(n)]", "def answer(): return xs"], {"n = 3", "xs = ["}),
    "a class": (["w = 7", "class A:\n    v = w", "a = A()", "def answer(): return a.v"], {"w = 7", "class A", "a = A"}),
    "defaults and decorators": (
        ["k = 2\ndef twice(f): return lambda x=k: 2 * f(x)", "@twice\ndef answer(x): return x"],
        {"k = 2", "def twice"},
    ),
    "a star": (["from math import *", "n = 1", "def answer(): return floor(2.5)"], {"from math"}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_an_answer_needs(case, tmp_path):
    cells, expected = CASES[case]
    statements, broken = statements_of(pieces_of(tmp_path, *cells))
    assert not broken
    found = needed("answer", statements)
    source = [ast.unparse(statements[at].node) for at in found]
    used = {start for start in expected if any(one.startswith(start) for one in source)}
    assert used == expected
    assert len(source) == len(expected) + 1  # and the answer
    last = max(found)
    if case != "the definition at the call":
        assert run(statements, found)["answer"]() == run(statements, list(range(len(statements))))["answer"]()
    else:
        assert run(statements, found)["answer"]() == run(statements, list(range(last + 1)))["answer"]() == 2


def test_a_training_elsewhere_is_not_needed_and_a_wide_search_finds_hidden_changes(tmp_path):
    cells = ["def fit(net):\n    net.append(1)\n    return 0", "net, other = [], []", "loss = fit(net)", "fit(other)",
             "def answer(): return net"]  # fmt: skip
    statements, _ = statements_of(pieces_of(tmp_path, *cells))
    assert needed("answer", statements) == [1, 4]
    assert needed("answer", statements, wide=True) == [0, 1, 2, 4]


def test_what_is_made_by_exec_needs_everything_above(tmp_path):
    statements, _ = statements_of(pieces_of(tmp_path, "exec('z = 1')\ny = 2", "def answer(): return z"))
    assert needed("answer", statements) == [2]
    assert needed("answer", statements, wide=True) == [0, 1, 2]


MAGICS = """x = 1
%matplotlib inline
!echo "it's
text = '''
%d items
!'''
n = (7
     % 4)
files = !ls
if x:
    %cd ..
np.add?
%time y = 5
z = n % 2
"""


def test_magics_are_left_out_and_only_they(tmp_path):
    (piece,) = pieces_of(tmp_path, MAGICS)
    names: dict = {}
    exec(piece.source, names)  # noqa: S102  (what the test is about)
    assert not piece.broken
    assert (names["x"], names["n"], names["y"], names["z"], names["files"]) == (1, 3, 5, 1, [])
    assert names["text"] == "\n%d items\n!"


def test_cells_of_other_languages_are_empty_and_timed_cells_are_not(tmp_path):
    bash, timed = pieces_of(tmp_path, "%%bash\nfor i in *; do echo; done", "%%time\ny = 3")
    assert not bash.statements
    assert [statement.lineno for statement in timed.statements] == [1, 2]


def test_what_is_not_python_costs_its_own_block(tmp_path):
    first, second = pieces_of(tmp_path, "def f(:\n    pass\n\ndef g():\n    return 1\n", "(1\ny = 2")
    assert [message for _, message in first.broken] == ["SyntaxError in line 1 of cell 1: invalid syntax."]
    statements, broken = statements_of([first, second])
    assert [sorted(one.defines) for one in statements] == [["g"], ["y"]]
    assert broken[-1][1] == "SyntaxError in line 1 of cell 2: '(' was never closed."


def test_deep_brackets_cost_their_own_block(tmp_path):
    path = tmp_path / "deep.py"
    path.write_text("x = " + "(" * 5000 + "\ndef g():\n    return 1\n")
    statements, broken = statements_of(read_pieces(path))
    assert len(broken) == 1
    assert statements[0].defines == {"g"}


def test_encodings(tmp_path):
    path = tmp_path / "latin.py"
    path.write_bytes("# -*- coding: latin-1 -*-\ns = 'é'\n".encode("latin-1"))
    assert read_pieces(path)[0].source.endswith("s = 'é'\n")
    path.write_bytes(b"s = '\xe9'\n")
    with pytest.raises(DataError, match="it is not UTF-8 text, and names no other encoding"):
        read_pieces(path)
    path.write_bytes(b"\xef\xbb\xbfs = 1\r\n")
    assert read_pieces(path)[0].source == "s = 1\n"
