"""How a model is shown: in one line, and as a table in a notebook."""

from html import escape

from backlight.runs.store import PRETRAINED
from backlight.training import Run


def in_a_line(run: Run, weights: str) -> str:
    """Return the `repr` of the model of a run, with the type of its weights."""
    kept = "" if weights == "float32" else f" in {weights}"
    parts = [run.config.model, f"{run.model.num_parameters():,} parameters{kept}", _learnt(run)]
    return f"Model({', '.join(parts)})"


def _learnt(run: Run) -> str:
    result = run.result
    if run.config.corpus == PRETRAINED:
        return "trained elsewhere"
    losses = "training was stopped" if result is None else f"dev {result['dev_nats']:.4f} nats per character"
    return f"trained on {run.config.source}: {losses}"


def as_html(run: Run, samples: list[str]) -> str:
    """Return a table of the facts of a run's model, with samples."""
    result = run.result or {}
    rows = {
        "model": run.config.spec.summary,
        "parameters": f"{run.model.num_parameters():,}",
        "context": f"{run.model.context} characters",
        "trained on": f"{run.config.source}, {result.get('steps', 0):,} steps",
        "nats per character": ", ".join(
            f"{part} {result[f'{part}_nats']:.4f}" for part in ("train", "dev", "test") if result.get(f"{part}_nats")
        ),
    }
    if samples:
        rows["samples"] = ", ".join(samples)
    cells = "".join(f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in rows.items() if text)
    return f"<table><caption>backlight.Model: {escape(run.config.model)}</caption>{cells}</table>"
