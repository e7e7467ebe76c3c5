"""A GPT made of single numbers that learns names, one a step: the calls of A. Karpathy's microgpt (2026), in our words.

    python names_gpt.py NAMES.TXT STEPS

It prints the loss of every step and then ten new names. The tests run it with Backlight's Value and with the class in
`plain_value.py` in its place.
"""

import random
import sys

from backlight import Value

WIDTH, HEADS, LAYERS, BLOCK = 16, 4, 1, 16
STEPS = int(sys.argv[2])
RATE, BETA_1, BETA_2, EPSILON = 0.01, 0.85, 0.99, 1e-8

random.seed(42)
with open(sys.argv[1], encoding="utf-8") as file:
    names = file.read().split()
random.shuffle(names)
letters = sorted(set("".join(names)))
END = len(letters)


def matrix(rows, columns):
    return [[Value(random.gauss(0, 0.08)) for _ in range(columns)] for _ in range(rows)]


weights = {"token": matrix(END + 1, WIDTH), "position": matrix(BLOCK, WIDTH), "out": matrix(END + 1, WIDTH)}
for layer in range(LAYERS):
    for name in ("query", "key", "value", "mix"):
        weights[f"{name}{layer}"] = matrix(WIDTH, WIDTH)
    weights[f"up{layer}"] = matrix(4 * WIDTH, WIDTH)
    weights[f"down{layer}"] = matrix(WIDTH, 4 * WIDTH)
parameters = [number for rows in weights.values() for row in rows for number in row]


def linear(x, rows):
    return [sum(w * number for w, number in zip(row, x)) for row in rows]


def softmax(logits):
    largest = max(logit.data for logit in logits)
    powers = [(logit - largest).exp() for logit in logits]
    total = sum(powers)
    return [power / total for power in powers]


def rmsnorm(x):
    mean = sum(number * number for number in x) / len(x)
    scale = (mean + 1e-5) ** -0.5
    return [number * scale for number in x]


def gpt(token, position, keys, values):
    x = rmsnorm([a + b for a, b in zip(weights["token"][token], weights["position"][position])])
    size = WIDTH // HEADS
    for layer in range(LAYERS):
        before = x
        x = rmsnorm(x)
        query = linear(x, weights[f"query{layer}"])
        keys[layer].append(linear(x, weights[f"key{layer}"]))
        values[layer].append(linear(x, weights[f"value{layer}"]))
        joined = []
        for head in range(HEADS):
            here = slice(head * size, (head + 1) * size)
            q, ks, vs = query[here], [key[here] for key in keys[layer]], [value[here] for value in values[layer]]
            scores = [sum(q[j] * k[j] for j in range(size)) / size**0.5 for k in ks]
            attention = softmax(scores)
            joined.extend([sum(attention[t] * vs[t][j] for t in range(len(vs))) for j in range(size)])
        x = [a + b for a, b in zip(linear(joined, weights[f"mix{layer}"]), before)]
        before = x
        x = linear(rmsnorm(x), weights[f"up{layer}"])
        x = linear([number.relu() for number in x], weights[f"down{layer}"])
        x = [a + b for a, b in zip(x, before)]
    return linear(x, weights["out"])


def name_loss(tokens):
    keys, values = [[] for _ in range(LAYERS)], [[] for _ in range(LAYERS)]
    count = min(BLOCK, len(tokens) - 1)
    losses = []
    for position in range(count):
        probabilities = softmax(gpt(tokens[position], position, keys, values))
        losses.append(-probabilities[tokens[position + 1]].log())
    return (1 / count) * sum(losses)


m, v = [0.0] * len(parameters), [0.0] * len(parameters)


def adam(step):
    rate = RATE * (1 - step / STEPS)
    for i, p in enumerate(parameters):
        m[i] = BETA_1 * m[i] + (1 - BETA_1) * p.grad
        v[i] = BETA_2 * v[i] + (1 - BETA_2) * p.grad**2
        m_hat = m[i] / (1 - BETA_1 ** (step + 1))
        v_hat = v[i] / (1 - BETA_2 ** (step + 1))
        p.data -= rate * m_hat / (v_hat**0.5 + EPSILON)
        p.grad = 0


def tokens_of(name):
    return [END, *[letters.index(letter) for letter in name], END]


def sample(temperature):
    keys, values = [[] for _ in range(LAYERS)], [[] for _ in range(LAYERS)]
    token, name = END, ""
    for position in range(BLOCK):
        probabilities = softmax([logit / temperature for logit in gpt(token, position, keys, values)])
        token = random.choices(range(END + 1), weights=[p.data for p in probabilities])[0]
        if token == END:
            break
        name += letters[token]
    return name


if __name__ == "__main__":
    for step in range(STEPS):
        loss = name_loss(tokens_of(names[step % len(names)]))
        loss.backward()
        adam(step)
        print(repr(loss.data))
    for _ in range(10):
        print(sample(0.5))
