"""What a notebook shows: well-formed, without scripts, with every name escaped, and quick on graphs of any size."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from backlight import Tensor, Value, explain
from backlight.core import GraphError
from backlight.explanation import notebook
from backlight.explanation.arranging import arranged
from backlight.explanation.picture import MOST_NODES, TIMES, Arrowhead, Box, Card, Picture, Text, glow
from backlight.explanation.svg import to_svg

HOSTILE = "<script>alert(1)</script>&\"'"


def parsed(page: str) -> ET.Element:
    assert "<script" not in page
    return ET.fromstring(page)  # noqa: S314  (it is our own)


def texts(page: str) -> list[str]:
    return [text.strip() for text in parsed(page).itertext() if text.strip()]


def test_a_value_shows_its_numbers_and_its_graph() -> None:
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    c = a * b
    c.label = "c"
    before = texts(c._repr_html_())
    assert before[:2] == ["c", "= Value(data=-6.0, grad=0.0)"]
    assert before[before.index("a") : before.index("a") + 5] == ["a", "data", "2", "grad", "0"]
    c.backward()
    after = texts(c._repr_html_())
    assert after[after.index("a") : after.index("a") + 5] == ["a", "data", "2", "grad", "-3"]
    assert TIMES in after, "the op"
    assert f"{TIMES}-3" in after, "the local derivative"
    c.backward()
    assert "-6" in texts(c._repr_html_()), "the leaf's gradient is what two passes left there"


def test_a_leaf_has_no_graph() -> None:
    assert Value(2.5)._repr_html_() == "<div><code>Value(data=2.5, grad=0.0)</code></div>"


def test_a_tensor_shows_what_it_is() -> None:
    weight = Tensor(np.arange(6, dtype=np.float32).reshape(2, 3), requires_grad=True, label="W")
    page = weight._repr_html_()
    assert texts(page)[:3] == ["W", "= Tensor", "shape (2, 3), float32, requires_grad"]
    assert "[3. 4. 5.]" in page
    loss = (weight * 2.0).sum()
    loss.backward()
    assert "|grad| 4.899" in weight._repr_html_()
    shown = texts(loss._repr_html_())
    assert "mul" in shown
    assert "sum" in shown
    assert shown[shown.index("|grad|") + 1] == "4.899"
    assert "(1000, 1000)" in Tensor(np.zeros((1000, 1000)))._repr_html_()
    assert len(Tensor(np.zeros((1000, 1000)))._repr_html_()) < 1_000


@pytest.mark.parametrize(
    "make", [lambda: Value(1.0, label=HOSTILE) * 2, lambda: Tensor(1.0, requires_grad=True, label=HOSTILE) * 2.0]
)
def test_names_are_escaped(make: object) -> None:
    node = make()  # type: ignore[operator]
    node.label = HOSTILE
    assert HOSTILE in texts(node._repr_html_())
    assert HOSTILE in texts(explain(node)._repr_html_())
    parsed(to_svg(explain(node).picture(HOSTILE)))


def test_a_large_graph_is_not_walked_to_its_end() -> None:
    node = Value(1.0)
    for _ in range(300_000):
        node = node + 1
    assert texts(node._repr_html_()) == [
        "Value(data=300001.0, grad=0.0)", "computed from more than 40 nodes; explain() lists them"
    ]  # fmt: skip


def test_many_numbers_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "_MEASURED", 10)
    tensor = Tensor(np.ones((4, 4)), requires_grad=True) * 2.0
    assert "computed from large tensors" in tensor._repr_html_()


def test_an_explanation_shows_graph_and_table() -> None:
    a = Value(2.0, label="a")
    page = explain((a * a).tanh())._repr_html_()
    root = parsed(page)
    rows = [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]
    assert rows[0][0] == "node"
    assert rows[-1][-2:] == ["", "0.005364"]
    assert len([*root.iter("{http://www.w3.org/2000/svg}svg")]) == 1
    long = sum([Value(1.0)] * 100, a)
    assert "<svg" not in explain(long)._repr_html_()
    tensor = explain((Tensor([1.0, 2.0], requires_grad=True) ** 2).sum())._repr_html_()
    assert "y = aⁿ" in tensor
    assert "<svg" in tensor


def test_no_page_asks_for_anything_from_outside() -> None:
    page = explain(Value(2.0, label="a") * 3)._repr_html_() + (Tensor(1.0, requires_grad=True) * 2.0)._repr_html_()
    assert set(re.findall(r"https?://[^\"']*", page)) == {"http://www.w3.org/2000/svg"}
    assert "url(" not in page


# -- the shapes of a picture -------------------------------------------------------------------------------------------


def picture(count: int) -> Picture:
    card = Card(title="a", op="+", lines=(("data", "1"),), kind="made", glow=0.0)
    return Picture(cards=(card,) * count, arrows=tuple((i, i + 1, f"{TIMES}1") for i in range(count - 1)))


def test_a_picture_goes_down_the_page_where_it_would_be_too_wide() -> None:
    short, long = arranged(picture(3)), arranged(picture(30))
    assert (short.down, long.down) == (False, True)
    x = [box.x for box in short.cards]
    assert x == sorted(x)
    y = [box.y for box in long.cards]
    assert y == sorted(y)
    assert long.width < 900


def test_too_many_nodes_are_refused() -> None:
    arranged(picture(MOST_NODES))
    with pytest.raises(GraphError, match="at most 60 nodes; got 61"):
        arranged(picture(MOST_NODES + 1))


def test_arrowheads_touch_their_badges() -> None:
    for drawing in (arranged(picture(3)), arranged(picture(30))):
        tips = [shape.tip for shape in drawing.shapes if isinstance(shape, Arrowhead)]
        badges = [shape for shape in drawing.shapes if isinstance(shape, Box) and shape.fill == "ink"]
        for (x, y), badge in zip(tips, badges[1:], strict=True):
            if drawing.down:
                assert (x, y) == pytest.approx((badge.x + badge.width / 2, badge.y))
            else:
                assert (x, y) == pytest.approx((badge.x, badge.y + badge.height / 2))


def test_cards_hold_their_text() -> None:
    explanation = explain((Value(-1.2345e-7, label="a_rather_long_name") * Value(1e6, label="b")).tanh())
    drawing = arranged(explanation.picture("A title"))
    for box in drawing.cards:
        inside = [t for t in drawing.shapes if isinstance(t, Text) and box.y < t.y < box.y + box.height
                  and box.x + 8 < t.x < box.x + box.width]  # fmt: skip
        assert {"data", "grad"} <= {text.text for text in inside}
        badges = [shape for shape in drawing.shapes if isinstance(shape, Box) and shape.fill == "ink"]
        for text in inside:
            width = 0.602 * text.size * len(text.text)
            left = text.x - {"left": 0.0, "middle": width / 2, "right": width}[text.align]
            assert box.x <= left + 1e-6
            assert left + width <= box.x + box.width + 1e-6
            for badge in badges:
                beside = left >= badge.x + badge.width or text.y - 4 > badge.y + badge.height or text.y + 4 < badge.y
                assert beside or left + width <= badge.x or text.colour == "paper"


def test_notes_cover_neither_cards_nor_each_other() -> None:
    a, b = Value(2.0, label="a"), Value(3.0, label="b")
    drawing = arranged(explain((a * b + a) * (b - a).exp() + a * a).picture())
    notes = [box for box in drawing.shapes if isinstance(box, Box) and box.radius == 2.0]
    assert len(notes) == 13
    for at, note in enumerate(notes):
        for other in [*notes[:at], *drawing.cards]:
            apart = (note.x >= other.x + other.width or other.x >= note.x + note.width
                     or note.y >= other.y + other.height or other.y >= note.y + note.height)  # fmt: skip
            assert apart


def test_light_goes_by_the_gradient() -> None:
    assert [glow(gradient, 4.0) for gradient in (0.0, 1.0, -1.0, 4.0)] == [0.0, 0.5, 0.5, 1.0]
    assert [glow(gradient, 4.0) for gradient in (float("inf"), float("nan"))] == [0.0, 0.0]
    assert glow(0.0, 0.0) == 0.0
    cards = {card.title: card for card in explain(Value(3.0, label="a") * Value(0.0, label="b")).picture().cards}
    assert (cards["a"].glow, cards["b"].glow) == (0.0, 1.0)
