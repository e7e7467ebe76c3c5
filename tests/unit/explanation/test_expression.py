"""Expressions: what is read means what Python's own arithmetic says, and what is no expression is one line."""

import ast
import math
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.autograd import Value
from backlight.core import BacklightError, ConfigError, DomainError
from backlight.explanation.expression import evaluate
from backlight.explanation.parsing import FUNCTIONS

AT = {"x": 0.75, "y": -1.5, "z": 2.0}

PYTHON: dict[str, Any] = {
    **AT,
    "abs": abs, "cos": math.cos, "exp": math.exp, "log": math.log, "relu": lambda a: max(a, 0.0), "sin": math.sin,
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)) if a > -700 else math.exp(a), "sqrt": math.sqrt, "tanh": math.tanh,
}  # fmt: skip


def expressions() -> st.SearchStrategy[str]:
    numbers = st.floats(0, 1e3, allow_nan=False).map(repr) | st.integers(0, 99).map(str)
    spaces = st.sampled_from(["", " "])
    return st.recursive(
        st.sampled_from([*AT]) | numbers,
        lambda inner: (
            st.tuples(inner, spaces, st.sampled_from(["+", "-", "*", "/"]), spaces, inner).map("".join)
            | st.tuples(st.sampled_from(["-", "+"]), inner).map("".join)
            | st.tuples(inner, st.sampled_from(["**2", "**3", "**-1", "**-2"])).map("".join)
            | inner.map(lambda text: f"({text})")
            | st.tuples(st.sampled_from(FUNCTIONS), inner).map(lambda pair: f"{pair[0]}({pair[1]})")
        ),
        max_leaves=12,
    )


@given(expressions())
def test_an_expression_means_what_python_says(text: str) -> None:
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)} & AT.keys()
    try:
        # whole numbers are floats here: 0 ** -1 and 9 ** 9 overflow alike
        expected = eval(_with_floats(text), {"__builtins__": {}}, PYTHON)  # noqa: S307  (made of the parts above)
    except (ArithmeticError, ValueError):
        expected = math.nan
    if isinstance(expected, complex) or not math.isfinite(expected):
        return  # such numbers are judged below, one by one
    found = evaluate(text, {name: AT[name] for name in names}).data
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


def _with_floats(text: str) -> str:
    class Floats(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.Constant:
            return ast.Constant(float(node.value))  # type: ignore[arg-type]

    return ast.unparse(Floats().visit(ast.parse(text, mode="eval")))


@given(st.text(max_size=30) | st.text("xy+-*/()=.,;:'\"[]{}eE019 \n#@!~^&|<>%\\", max_size=30))
def test_any_text_is_a_value_or_one_line(text: str) -> None:
    try:
        found: Value | BacklightError = evaluate(text, {"x": 1.0, "y": 2.0})
    except BacklightError as error:
        found = error
    assert isinstance(found, Value) or "\n" not in str(found)


def test_statements_name_their_parts() -> None:
    """The first graph of lecture 1."""
    end = evaluate("a = 2; b = -3\nc = 10  # given; all of them\ne = a*b; d = e + c; f = -2\nL = d*f;", {})
    assert (end.data, end.label) == (-8.0, "L")
    d, f = end._prev
    assert [node.label for node in (d, f, *d._prev)] == ["d", "f", "e", "c"]
    end.backward()
    assert (d.grad, f.grad, d._prev[1].grad) == (-2.0, 4.0, -2.0)


def test_a_statement_may_go_on_inside_brackets() -> None:
    assert evaluate("y = (x\n + 1) * 2\ny - (3;)".replace(";", ""), {"x": 4.0}).data == 7.0


def test_a_sum_is_cut_where_it_adds_and_nowhere_else() -> None:
    at = {"x": 3.0}
    assert evaluate("1e-1 + 2E+1 - x - -x - (x - 1) + -2**2 + x**-1*3", at).data == pytest.approx(14.1 + 1)
    assert evaluate("-x", at)._op == "neg"
    assert evaluate("0x1e-1 + 1_0*x", at).data == 59.0
    assert evaluate("x - 1 - 1", at).data == 1.0


def test_a_name_is_one_leaf_however_often_it_stands_there() -> None:
    end = evaluate("x*x + x", {"x": 3.0})
    end.backward()
    square, x = end._prev
    assert square._prev == (x, x)
    assert x.grad == 7.0


def test_a_fixed_exponent_is_no_node() -> None:
    assert [evaluate(f"x**{n}", {"x": 2.0})._op for n in ("2", "-1", "0.5", "2.0")] == ["**2", "**-1", "**0.5", "**2"]
    assert evaluate("(-2)**3", {}).data == -8.0
    assert evaluate("x**2**2", {"x": -1.5}).data == 1.5**4
    assert len(evaluate("x**(1/2)", {"x": 4.0}).ancestry()) == 2
    assert evaluate("2**x", {"x": 3.0})._op == "**"


def test_functions_that_values_do_not_have() -> None:
    for x, slope in ((2.0, 1.0), (-2.0, -1.0), (0.0, 0.0)):
        end = evaluate("abs(x)", {"x": x})
        end.backward()
        (leaf,) = [node for node in end.ancestry() if node.label == "x"]
        assert (end.data, leaf.grad) == (abs(x), slope)
    assert evaluate("sqrt(x)", {"x": 9.0}).data == 3.0


@pytest.mark.parametrize("names", [1, 10_000])
def test_a_sum_of_ten_thousand_terms(names: int) -> None:
    terms = [f"x{i % names}" for i in range(10_000)]
    end = evaluate(" + ".join(terms), {f"x{i}": 1.0 for i in range(names)})
    assert end.data == 10_000
    end.backward()
    assert sum(node.grad for node in end.ancestry() if node.label.startswith("x")) == 10_000


def test_letters_that_look_alike_are_one() -> None:
    assert evaluate("\N{MATHEMATICAL BOLD SMALL X} + x", {"\N{MATHEMATICAL BOLD SMALL X}": 2.0}).data == 4.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x.real", "got the attribute 'x.real'"),
        ("x.__class__.__mro__", "the attribute"),
        ("x.tanh()", "the method 'x.tanh()'. Write tanh(x)"),
        ("open('/etc/passwd')", "the functions are abs, cos, exp, log, relu, sigmoid, sin, sqrt, tanh; got a call of"),
        ("__import__('os').system('true')", "got a call of"),
        ("tanh(x, x)", "tanh takes one argument"),
        ("tanh()", "tanh takes one argument"),
        ("tanh(x=x)", "tanh takes one argument"),
        ("tanh(*x)", "got '*x'"),
        ("tanh(x)(x)", "got a call of 'tanh(x)'"),
        ("tanh + x", "the function tanh needs an argument"),
        ("tanh = x", "must not be that of a function; got tanh"),
        ("(lambda: x)()", "got a call of"),
        ("lambda: x + x", "got 'lambda: x'"),
        ("[x for x in (1,)]", "Leave it out"),
        ("x[0]", "got 'x[0]'"),
        ("{x}", "got '{x}'"),
        ("(y := x)", "got '(y := x)'"),
        ("x if x else x", "Leave it out"),
        ("x < x", "got 'x < x'"),
        ("x // x", "got 'x // x'"),
        ("x % 2", "got 'x % 2'"),
        ("x ^ 2", "A power is written **"),
        ("~x", "got '~x'"),
        ("not x", "got 'not x'"),
        ("'x' + x", "got \"'x'\""),
        ("'a + b'", 'got "\'a": unterminated'),
        ("f'{x}'", "Leave it out"),
        ("True", "got 'True'"),
        ("None", "got 'None'"),
        ("...", "got '...'"),
        ("2j", "got '2j'"),
        ("x,", "Leave it out"),
        ("await x", "got 'await x'"),
        ("import os", "got 'import os': invalid syntax"),
        ("x; import os", "got 'import os'"),
        ("del x", "invalid syntax"),
        ("", "got nothing"),
        (" ;\n; # nothing", "got nothing"),
        ("x +", "got nothing for a term in 'x +'"),
        ("x * + ", "got 'x * +'"),
        ("(x", "was never closed"),
        ("x) + (x", "unmatched ')'"),
        ("x x", "invalid syntax"),
        ("1if 1else 2", "got '1if 1else 2'"),
        ("1 = x", "a name must stand before =; got '1'"),
        ("a.b = x", "a name must stand before =; got 'a.b'"),
        ("y = z = x", "got 'z = x'"),
        ("y += x", "got 'y += x'"),
        ("x = 2", "a name must be defined once"),
        ("y = x; y = x", "a name must be defined once"),
        ("y = y + x", "after its definition or use"),
        ("y = a + x; a = 2", "after its definition or use"),
        ("x\0", "null bytes"),
        ("\ud800", "surrogates not allowed"),
        ("1e999 * x", "a number must be below 1.8e308; got '1e309'"),
        ("9" * 400, "a number must be below 1.8e308"),
        ("9" * 5000, "Exceeds the limit"),
        ("-" * 20_000 + "x", "nested thousands of levels deep"),
        ("(" * 1_000 + "x" + ")" * 1_000, "too many nested parentheses"),
        ("tanh(" + "+".join(["x"] * 20_000) + ")", "Split it into named parts"),
        ("*".join(["x"] * 20_000), "nested thousands of levels deep"),
    ],
)
def test_what_is_no_expression_is_one_line(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        evaluate(text, {"x": 1.0})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x / 0", "a divisor must not be 0; got 3.0 / 0.0"),
        ("1 / (x - 3)", "a divisor must not be 0"),
        ("log(-x)", "log needs a number above 0; got -3.0"),
        ("9**9**9 * x", "a power must stay below 1.8e308; got 9.0 ** 387420489"),
        ("(x - 4)**0.5", "a negative base needs a whole exponent"),
        ("sqrt(-x)", "a negative base needs a whole exponent"),
        ("0**-x", "base of a negative power must not be 0"),
        ("(-2)**x", "a base must not be negative if the exponent is a Value"),
        ("x**(1/0)", "a divisor must not be 0"),
    ],
)
def test_what_has_no_answer_is_one_line(text: str, says: str) -> None:
    with pytest.raises(DomainError) as caught:
        evaluate(text, {"x": 3.0})
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("x1*w1 + x2*w2 + b", {"x1": 1, "b": 2}, "w1, x2, w2 have none. Add --at w1=1,x2=1,w2=1"),
        ("y = a*x; y + c", {"x": 1}, "a, c have none"),
        ("e**x", {"x": 1}, "e has none"),
        ("x", {"x": 1, "y": 2, "z": 3}, "y, z do not occur in it. Its names: x"),
        ("1 + 1", {"y": 2}, "y does not occur in it. Its names: none"),
        ("x", {"x": math.nan}, "the number of a name must be finite; got x=nan"),
        ("x", {"x": -math.inf}, "got x=-inf"),
        ("sin(exp)", {"exp": 1}, "must not be that of a function; got exp"),
    ],
)
def test_every_name_has_a_number_and_every_number_a_use(text: str, at: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        evaluate(text, at)
    assert says in str(caught.value)


def test_many_missing_names_are_counted() -> None:
    with pytest.raises(ConfigError, match=r"x11 and 9,988 more have none") as caught:
        evaluate("+".join(f"x{i}" for i in range(10_000)), {})
    assert len(str(caught.value)) < 400


def test_nothing_is_ever_run() -> None:
    before = dict(sys.modules)
    for text in ("__import__('antigravity')", "().__class__.__bases__[0].__subclasses__()", "exec('import this')"):
        with pytest.raises(ConfigError):
            evaluate(text, {})
    assert sys.modules.keys() == before.keys()
