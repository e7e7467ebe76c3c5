"""`backlight figures`: the figures that a run can have, and one line for those that it cannot."""

from typing import Any

OF_NET = {
    "bigram-counts", "bigram-probabilities", "firing-rates", "embedding", "loss", "rate-sweep", "next-character",
    "surprise", "dlogits", "league",
}  # fmt: skip


def test_all_that_a_run_can_have_are_drawn_and_the_others_named_with_a_reason(runs: Any) -> None:
    told = runs("figures", "net", "--json").json
    assert set(told["drawn"]) >= OF_NET
    assert {"weights", "attention", "receptive-field"} <= set(told["not_drawn"])
    made = {path.name for path in (runs.folder / "runs" / "net" / "figures").iterdir()}
    assert made == {f"{name}.png" for name in told["drawn"]}
    for path in told["drawn"].values():
        assert (runs.folder / path).read_bytes().startswith(b"\x89PNG")


def test_figures_of_a_text_go_where_they_are_wanted_in_80_columns(runs: Any) -> None:
    out = runs.works(
        "figures",
        "counted",
        "surprise",
        "next-character",
        "--text",
        "amelia",
        "--format",
        "svg",
        "--dark",
        "--out",
        "p",
    ).out
    assert max(map(len, out.splitlines())) <= 80
    made = sorted((runs.folder / "p").iterdir())
    assert [path.name for path in made] == ["next-character-dark.svg", "surprise-dark.svg"]
    assert all(b"#0d1117" in path.read_bytes() for path in made)


def test_what_cannot_be_drawn_is_refused_in_one_line(runs: Any) -> None:
    runs.refused("figures", "counted", "loss", "league", says="loss cannot be drawn for runs/counted: it needs losses")
    runs.refused("figures", "net", "attention", says="it needs a model with attention; this run's is mlp")
    runs.refused("figures", "net", "nothing", says="got 'nothing'. See: backlight figures --list")
    runs.refused("figures", "net", "--text", "Ω", says="every character must be in the vocabulary")
    runs.refused("figures", "net", "loss", "--out", "names.txt/p", says="Choose another with --out")
    assert runs("figures", "net", "--format", "gif").code == 2


def test_the_list_needs_no_run(shell: Any) -> None:
    told = shell("figures", "--list", "--json").json
    assert set(told["figures"]) >= OF_NET | {"attention"}
