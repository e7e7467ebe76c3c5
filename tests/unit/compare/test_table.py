"""The league table as Markdown."""

from backlight.compare import as_markdown

ROW = {
    "model": "gpt", "parameters": 204_544, "context": 16, "train_nats": 1.8, "dev_nats": 1.9, "test_nats": 2.0,
    "seconds": 61.25, "characters_per_second": 35_123.4, "samples": ["ann_a", "a|b", "tab\there", "*x*"],
}  # fmt: skip


def test_a_row_tells_everything_in_nats_and_in_bits() -> None:
    lines = as_markdown([ROW], foot="here").splitlines()
    cells = [cell.strip() for cell in lines[2].split(" | ")]
    # 1.8 / ln 2 = 2.5968, 1.9 / ln 2 = 2.7411, 2 / ln 2 = 2.8854
    assert cells[:-1] == [
        "| gpt", "204,544", "16", "1.8000", "1.9000", "2.0000", "2.597", "2.741", "2.885", "61.2", "35,123",
    ]  # fmt: skip
    assert lines[-1] == "here"
    assert {line.count(" | ") for line in lines[:3]} == {11}


def test_samples_cannot_break_the_table() -> None:
    line = as_markdown([ROW], foot="").splitlines()[2]
    assert line.endswith("ann\\_a, a\\|b, tab here, \\*x\\* |")
