"""The description of an exported model, `README.md`: its data, losses and samples, and how it is used."""

import json
from typing import Any, Final

from backlight.export.exportable import Exportable
from backlight.runs.store import PRETRAINED
from backlight.text import CORPORA
from backlight.text.vocabulary import CHARACTERS

_LOSSES: Final = {"train_nats": "training text", "dev_nats": "dev split", "test_nats": "test split"}
_USE: Final = """\
```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{name}")
model = AutoModelForCausalLM.from_pretrained("{name}")
ids = model.generate(**tokenizer([""] * 5, return_tensors="pt"))
print(tokenizer.batch_decode(ids, skip_special_tokens=True))
```

The tokenizer puts the boundary, `<|endoftext|>`, before each text; {end}.
"""


_LIMITS: Final = """\
## Limits

The model reads {context} tokens at most, the boundary among them. It reproduces the text that it was trained on, with
its errors and biases, and a sample may be an item of that text.
"""


def model_card(subject: Exportable) -> str:
    """Return the text of a model card in Markdown, with the metadata that Hugging Face reads at its beginning."""
    run, network = subject.run, subject.network
    corpus = CORPORA.get(run.config.corpus)
    licence = corpus.licence if corpus else "that of the text, which Backlight does not know"
    described = f"{corpus.description}. " if corpus else ""
    end = "an item ends with it" if run.ends else "running text has no end, so it is never generated"
    parts = [
        "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags: [backlight, gpt2]\n---",
        f"# {subject.name}",
        f"A GPT with {network.num_parameters():,} parameters, {_trained(subject)}.",
        f"## Data\n\n{described}Licence: {licence}. {_tokens(subject)}",
        _losses(run.result, run.config.tokens),
        f"## Samples\n\n{_drawn(subject)}",
        "## Use\n\n" + _USE.format(name=subject.name, end=end),
        _LIMITS.format(context=network.context),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def _tokens(subject: Exportable) -> str:
    tokens = subject.run.config.tokens
    kind = "the matches of a pattern, or characters" if len(tokens) > 40 else tokens
    return f"The vocabulary has {subject.vocabulary.size:,} tokens with the boundary: {kind}."


def _trained(subject: Exportable) -> str:
    if subject.run.config.corpus == PRETRAINED:
        return "trained elsewhere, and read and written by Backlight"
    start = subject.run.config.start
    return f"trained with Backlight on {_text(subject)}" + (f", from the weights of {start}" if start else "")


def _text(subject: Exportable) -> str:
    run = subject.run
    return f"{run.config.source} ({'items, one a line' if run.ends else 'running text'})"


def _losses(result: dict[str, Any] | None, tokens: str) -> str:
    found = [(name, (result or {}).get(key)) for key, name in _LOSSES.items()]
    rows = [f"| {name} | {nats:.4f} |" for name, nats in found if isinstance(nats, float)]
    if not rows:
        return ""
    per = "" if tokens == CHARACTERS else ", not per token"
    return f"## Losses\n\nNats per character{per}.\n\n| text | loss |\n|---|---|\n" + "\n".join(rows)


def _drawn(subject: Exportable) -> str:
    if subject.run.ends:
        return "Drawn at temperature 1, none left out: " + ", ".join(
            f"`{json.dumps(one, ensure_ascii=False)[1:-1]}`" for one in subject.samples if "`" not in one
        )
    fence = "```" if "```" not in subject.samples[0] else "`" * 8
    return f"Drawn at temperature 1:\n\n{fence}text\n{subject.samples[0]}\n{fence}"
