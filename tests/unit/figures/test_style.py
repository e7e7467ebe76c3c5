"""Colours that can be read and told apart, characters of any text, and files that are the same each time."""

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from backlight.core import ConfigError, RunError
from backlight.figures import FORMATS, figure, firing_rates, palette
from backlight.figures.letters import legible, letter_ticks, quoted
from backlight.figures.matrices import luminance
from backlight.figures.style import DARK, LIGHT

THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])

# Viénot, Brettel & Mollon 1999, "Digital video colourmaps for checking the legibility of displays by dichromats":
# what protanopes and deuteranopes see of linear red, green and blue
PROTANOPE = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
DEUTERANOPE = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])


def contrast(a: str, b: str) -> float:
    low, high = sorted(float(luminance(np.array(to_rgb(colour)))) for colour in (a, b))
    return (high + 0.05) / (low + 0.05)


def lightness_and_colour(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear sRGB, in which a distance of 1 can just be seen."""
    xyz = rgb @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    f = np.cbrt(np.maximum(xyz / [0.9505, 1, 1.089], 1e-6))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@THEMES
def test_text_can_be_read_on_its_paper(theme):
    assert contrast(theme.ink, theme.paper) > 7
    assert contrast(theme.muted, theme.paper) > 4.5
    for colour in (theme.blue, theme.orange, theme.green, theme.purple, theme.alarm):
        assert contrast(colour, theme.paper) > 2.5


@THEMES
def test_what_is_compared_can_be_told_apart_without_red_or_green(theme):
    for seen in (np.eye(3), PROTANOPE, DEUTERANOPE):
        linear = [np.array(to_rgb(colour)) ** 2.2 @ seen.T for colour in (theme.blue, theme.orange, theme.alarm)]
        colours = [lightness_and_colour(np.clip(one, 0, 1)) for one in linear]
        assert min(np.linalg.norm(a - b) for a, b in combinations(colours, 2)) > 14


@THEMES
def test_amounts_go_from_the_paper_on_and_always_one_way(theme):
    light = luminance(theme.amounts(np.linspace(0, 1, 64))[:, :3])
    assert light[0] == pytest.approx(float(luminance(np.array(to_rgb(theme.paper)))), abs=1e-3)
    steps = np.diff(light)
    assert (steps < 0).all() if theme is LIGHT else (steps > 0).all()


@THEMES
def test_every_depth_stands_out_from_the_paper(theme):
    paper = np.array(to_rgb(theme.paper))
    for colour in theme.depths(np.linspace(0, 1, 12))[:, :3]:
        assert np.abs(luminance(colour) - luminance(paper)) > 0.15


def test_the_palette_follows_the_paper():
    for paper, theme in (("white", LIGHT), ("black", DARK), ("#202020", DARK)):
        figure = Figure(facecolor=paper)
        ax = figure.subplots()
        ax.set_facecolor(paper)
        assert palette(ax) is theme
        ax.set_facecolor("none")
        assert palette(ax) is theme


@pytest.mark.parametrize(
    ("given", "shown"),
    [("a", "a"), ("$", "$"), ("é", "é"), ("亜", "U+4E9C"), ("🎉", "U+1F389"), ("\n", "U+000A"), ("U+0301", "U+0301")],
)
def test_what_no_font_has_is_shown_by_its_code_point(given, shown):
    with mpl.rc_context({"font.family": ["DejaVu Sans"]}):
        assert legible(given) == shown


def test_a_long_text_is_quoted_by_its_end():
    assert quoted("mar") == "“mar”"
    assert quoted("x" * 30 + "end") == "“…" + "x" * 21 + "end”"
    with mpl.rc_context({"font.family": ["DejaVu Sans"]}):
        assert quoted("東京a", most=13) == "“U+6771 U+4EAC a”"
        assert quoted("東京a", most=12) == "“…U+4EAC a”"


def test_of_very_many_characters_only_some_are_named(ax):
    labels = [chr(0x400 + k) for k in range(200)]
    letter_ticks(ax.xaxis, labels)
    assert [label.get_text() for label in ax.get_xticklabels()] == labels[::4]
    assert ax.get_xticks().tolist() == list(range(0, 200, 4))


def test_dollars_are_no_mathematics(ax):
    letter_ticks(ax.xaxis, ["$a", "b$"])
    assert not any(label.get_parse_math() for label in ax.get_xticklabels())


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_data_have_the_same_bytes(kind):
    one = firing_rates(np.array([0.7, 0.3]), ["$", "_"])
    made = [one.to_bytes(kind) for _ in range(2)]
    assert made[0] == made[1]
    assert made[0] != one.to_bytes(kind, dark=True)
    for telling in (b"Matplotlib v", b"<dc:date>"):
        assert telling not in made[0]


def test_a_figure_is_saved_by_its_suffix_and_whole_or_not_at_all(tmp_path):
    papers = []

    @figure(size=(2, 1))
    def dot(ax, x):
        papers.append(palette(ax))
        ax.plot([x], [x], "o")

    dot(1.0).save(tmp_path / "one.PNG", dark=True)
    dot(1.0).save(str(tmp_path / "one.svg"))
    assert papers == [DARK, LIGHT]
    for name in ("one.gif", "one"):
        with pytest.raises(ConfigError, match="saved as png or svg"):
            dot(1.0).save(tmp_path / name)
    with pytest.raises(RunError):
        dot(1.0).save(tmp_path / "absent" / "one.png")
    assert (tmp_path / "one.PNG").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "one.svg").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"one.PNG", "one.svg"}
