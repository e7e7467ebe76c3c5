"""Pictures of what a model does with a text: what it expects, what surprises it, where it looks, what it is told."""

from typing import Any

import numpy as np

from backlight.autograd import cross_entropy, no_grad
from backlight.autograd.ops.attention import causal_weights, split_heads
from backlight.core import NOT_A_TARGET, FloatArray, IntArray
from backlight.figures import pages
from backlight.figures.data.source import NoPictureError, Source
from backlight.figures.pages import Page
from backlight.models.gpt import GPT
from backlight.models.wavenet import WaveNet
from backlight.sample import score_items

_EXAMPLES = 32
"""Rows of the picture of dlogits: a batch of the lectures."""


def next_characters(source: Source) -> Page:
    """Return what comes after a text: after the one given, or after half of one whose next character is known."""
    text, truth = source.text, None
    if not source.given:
        text = source.text[: max(1, len(source.text) // 2)]
        truth = int(source.vocabulary.encode(source.text)[len(text)]) if len(text) < len(source.text) else None
    p = source.probabilities(source.context_of(text))[0]
    return pages.next_characters(p, source.labels, after=text, truth=truth)


def surprise(source: Source) -> Page:
    """Return what each character of a text costs."""
    source.vocabulary.encode(source.text)  # or it is refused
    (score,) = score_items(source.model, source.vocabulary, [source.text], ends=source.ends)
    labels, nats = zip(*score.per_character, strict=True)
    return pages.surprise(labels, np.array(nats), know_nothing=float(np.log(source.vocabulary.size)))


def dlogits(source: Source) -> Page:
    """Return the gradient of the loss by the logits, for the first examples of a batch."""
    network = source.network
    x, y = source.batch.x[:_EXAMPLES], source.batch.y[:_EXAMPLES]
    logits = network(x)
    logits.retain_grad()
    network.zero_grad()
    cross_entropy(logits, y).backward()
    gradient: FloatArray = logits.grad.array  # type: ignore[union-attr]
    network.zero_grad()
    return pages.dlogits(gradient[y != NOT_A_TARGET][:_EXAMPLES], source.labels)


def attention(source: Source) -> Page:
    """Return the weights of every head of a GPT for one text."""
    network = source.network
    if not isinstance(network, GPT):
        raise NoPictureError(f"it needs a model with attention; this run's is {source.config.model}")
    x = source.context_of(source.text)
    names = [source.labels[token] for token in x[0].tolist()]
    return pages.attention({f"block {place + 1}": p for place, p in enumerate(attention_weights(network, x))}, names)


def attention_weights(network: GPT, x_BT: IntArray) -> list[FloatArray]:
    """Return for each block (H, T, T) how much each position (row) takes of which (column), for the first ids."""
    found = []
    with no_grad():
        x: Any = network.token(x_BT) + network.position(np.arange(x_BT.shape[1]))
        for block in network.blocks:
            q, k, _ = split_heads(block.attention.qkv(block.first_norm(x)).array, block.attention.heads)
            found.append(causal_weights(q, k)[0].swapaxes(-1, -2))
            x = block(x)
    return found


def receptive_field(source: Source) -> Page:
    """Return the tree over the characters that a WaveNet sees, and how each bears on what it expects."""
    network = source.network
    if not isinstance(network, WaveNet):
        raise NoPictureError(f"it needs a hierarchical model; this run's is {source.config.model}")
    text = source.text if source.given else source.text[: max(1, len(source.text) * 2 // 3)]
    x = source.context_of(text)
    vectors = network.embedding(x)
    vectors.retain_grad()
    logits = network.output(network.hidden(vectors))
    outcome = int(logits.array[0].argmax())
    network.zero_grad()
    cross_entropy(logits, np.array([outcome])).backward()
    influence = np.sqrt((vectors.grad.array[0] ** 2).sum(axis=-1))  # type: ignore[union-attr]
    network.zero_grad()
    config = network.config
    levels = [f"{config.embedding} numbers for 1", *(
        f"{config.hidden} units for {2**level}" for level in range(1, config.levels + 1)
    )]  # fmt: skip
    letters = [source.labels[token] for token in x[0].tolist()]
    return pages.receptive_field(letters, levels, outcome=source.labels[outcome], influence=influence)
