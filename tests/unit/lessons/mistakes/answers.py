"""A right answer to each exercise, written as a learner might. Mistakes are planted in them."""

# ruff: noqa: B905, PIE810, RUF005, RET504, RUF059  (as people write)

import math
import random
from collections import defaultdict

import numpy as np

from backlight import Value


def gradient_by_formula(a, b, c):
    da = 2 * a * b - 1 / c
    db = a**2 + 3 * math.cos(3 * b)
    dc = a / c**2
    return da, db, dc


def forward_difference(f, a, b, c, h):
    y = f(a, b, c)
    da = (f(a + h, b, c) - y) / h
    db = (f(a, b + h, c) - y) / h
    dc = (f(a, b, c + h) - y) / h
    return da, db, dc


def symmetric_difference(f, a, b, c, h):
    da = (f(a + h, b, c) - f(a - h, b, c)) / (2 * h)
    db = (f(a, b + h, c) - f(a, b - h, c)) / (2 * h)
    dc = (f(a, b, c + h) - f(a, b, c - h)) / (2 * h)
    return da, db, dc


def walk_back(nodes):
    grads = {}
    for name, _ in nodes:
        grads[name] = 0.0
    last = nodes[-1][0]
    grads[last] = 1.0
    for name, parents in reversed(nodes):
        for p, d in parents:
            grads[p] += d * grads[name]
    return grads


def descend(w, xs, ys, rate, steps):
    weight = Value(w)
    for _ in range(steps):
        weight.zero_grad()
        loss = Value(0.0)
        for x, y in zip(xs, ys):
            loss = loss + (weight * x - y) ** 2
        loss.backward()
        weight.data -= rate * weight.grad
    return weight.data


def softmax_nll(logits, target):
    exps = [l.exp() for l in logits]
    total = sum(exps)
    probs = [e / total for e in exps]
    return -probs[target].log()


def trigram_counts(words, stoi):
    N = np.zeros((len(stoi), len(stoi), len(stoi)))
    for w in words:
        chs = [".", "."] + list(w) + ["."]
        for i in range(len(chs) - 2):
            N[stoi[chs[i]], stoi[chs[i + 1]], stoi[chs[i + 2]]] += 1
    return N


def split(words, seed):
    words = list(words)
    random.Random(seed).shuffle(words)
    n1 = int(0.8 * len(words))
    n2 = int(0.9 * len(words))
    return words[:n1], words[n1:n2], words[n2:]


def tune_smoothing(train, dev, ks):
    losses = []
    for k in ks:
        P = train + k
        P = P / P.sum(axis=1, keepdims=True)
        logp = np.log(P)
        losses.append(-np.sum(dev * logp) / np.sum(dev))
    best = ks[np.argmin(losses)]
    return losses, best


def layer_by_index(W, ids, dlogits):
    logits = W[ids]
    dW = np.zeros_like(W)
    for n in range(len(ids)):
        dW[ids[n]] += dlogits[n]
    return logits, dW


def cross_entropy(logits, targets):
    N = len(targets)
    z = logits - logits.max(axis=1, keepdims=True)
    lse = np.log(np.exp(z).sum(axis=1))
    nll = lse - z[np.arange(N), targets]
    return nll.mean()


def ngram_counts(words, n):
    counts = defaultdict(int)
    for w in words:
        s = "." * (n - 1) + w + "."
        for i in range(len(s) - n + 1):
            counts[s[i : i + n]] += 1
    return dict(counts)


def even_start(V, T, E, H, seed):
    rng = np.random.default_rng(seed)
    C = rng.normal(size=(V, E))
    W1 = rng.normal(size=(T * E, H)) / np.sqrt(T * E)
    b1 = np.zeros(H)
    W2 = 0.01 * rng.normal(size=(H, V))
    b2 = np.zeros(V)
    return C, W1, b1, W2, b2


def logits_with_direct(X, C, H, d, U, W, b):
    N, T = X.shape
    emb = C[X]
    x = emb.reshape(N, T * C.shape[1])
    h = np.tanh(x @ H + d)
    y = h @ U + x @ W + b
    return y


def write_names(next_logits, draw, block_size, count):
    names = []
    for _ in range(count):
        out = []
        context = [0] * block_size
        while True:
            logits = next_logits(np.array([context]))[0]
            e = np.exp(logits - logits.max())
            probs = e / e.sum()
            ix = draw(probs)
            context = context[1:] + [ix]
            if ix == 0:
                break
            out.append(ix)
        names.append(out)
    return names


def first_moves(zero):
    names = ["C", "W1", "b1", "W2", "b2"]
    nonzero = {n: n not in zero for n in names}
    first = dict.fromkeys(names, 0)
    for step in range(1, 6):
        h = (nonzero["C"] and nonzero["W1"]) or nonzero["b1"]
        dh = nonzero["W2"]
        moves = {
            "b2": True,
            "W2": h,
            "b1": dh,
            "W1": dh and nonzero["C"],
            "C": dh and nonzero["W1"],
        }
        for n in names:
            if moves[n]:
                if first[n] == 0:
                    first[n] = step
                nonzero[n] = True
    return first


def fold(W, b, gain, bias, running_mean, running_var, eps):
    std = np.sqrt(running_var + eps)
    scale = gain / std
    W2 = W * scale
    b2 = (b - running_mean) * scale + bias
    return W2, b2


def first_weights(fan_in, fan_out, function, rng):
    gain = {"linear": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2)}[function]
    std = gain / math.sqrt(fan_in)
    return rng.normal(0, std, size=(fan_in, fan_out))


def batch_norm(x, gain, bias, running_mean, running_var, training, momentum, eps):
    if training:
        mu = x.mean(axis=0)
        var = ((x - mu) ** 2).mean(axis=0)
        n = len(x)
        running_mean = (1 - momentum) * running_mean + momentum * mu
        running_var = (1 - momentum) * running_var + momentum * var * n / (n - 1)
    else:
        mu, var = running_mean, running_var
    xhat = (x - mu) / np.sqrt(var + eps)
    return gain * xhat + bias, running_mean, running_var


def all_gradients(weights, steps, x, y):
    w, s = weights, steps
    n = len(x)
    dlogprobs = np.zeros(s.logprobs.shape)
    dlogprobs[np.arange(n), y] = -1.0 / n
    dprobs = (1.0 / s.probs) * dlogprobs
    dinverse = (s.counts * dprobs).sum(1, keepdims=True)
    dtotal = -1.0 / s.total**2 * dinverse
    dcounts = s.inverse * dprobs
    dcounts = dcounts + np.ones_like(s.counts) * dtotal
    dshifted = s.counts * dcounts
    dlargest = (-dshifted).sum(1, keepdims=True)
    dlogits = dshifted.copy()
    for i in range(n):
        dlogits[i, s.logits[i].argmax()] += dlargest[i, 0]
    dh = dlogits @ w.W2.T
    dW2 = s.h.T @ dlogits
    db2 = dlogits.sum(0)
    dscaled = (1.0 - s.h**2) * dh
    dgain = (s.normal * dscaled).sum(0)
    dshift = dscaled.sum(0)
    dnormal = w.gain * dscaled
    drstd = (s.centred * dnormal).sum(0)
    dvariance = (-0.5 * (s.variance + 1e-5) ** -1.5) * drstd
    dsquares = (1.0 / (n - 1)) * np.ones_like(s.squares) * dvariance
    dcentred = s.rstd * dnormal
    dcentred = dcentred + 2 * s.centred * dsquares
    dmean = -dcentred.sum(0)
    dsums = dcentred + 1.0 / n * np.ones_like(s.sums) * dmean
    djoined = dsums @ w.W1.T
    dW1 = s.joined.T @ dsums
    db1 = dsums.sum(0)
    dvectors = djoined.reshape(s.vectors.shape)
    dC = np.zeros_like(w.C)
    for k in range(x.shape[0]):
        for j in range(x.shape[1]):
            dC[x[k, j]] += dvectors[k, j]
    return {
        "logprobs": dlogprobs, "probs": dprobs, "inverse": dinverse, "total": dtotal, "counts": dcounts,
        "shifted": dshifted, "largest": dlargest, "logits": dlogits, "h": dh, "W2": dW2, "b2": db2, "scaled": dscaled,
        "gain": dgain, "shift": dshift, "normal": dnormal, "rstd": drstd, "variance": dvariance, "squares": dsquares,
        "centred": dcentred, "mean": dmean, "sums": dsums, "joined": djoined, "W1": dW1, "b1": db1,
        "vectors": dvectors, "C": dC,
    }  # fmt: skip


def cross_entropy_backward(logits, targets):
    n, v = logits.shape
    m = logits.max(axis=1, keepdims=True)
    e = np.exp(logits - m)
    p = e / e.sum(axis=1, keepdims=True)
    onehot = np.zeros((n, v))
    for i in range(n):
        onehot[i, targets[i]] = 1
    return (p - onehot) / n


def batch_norm_backward(dy, normal, rstd, gain):
    n = dy.shape[0]
    dshift = dy.sum(axis=0)
    dgain = (dy * normal).sum(axis=0)
    dxhat = dy * gain
    a = dxhat
    bm = dxhat.sum(axis=0) / n
    cv = normal * (dxhat * normal).sum(axis=0) / (n - 1)
    dx = rstd * (a - bm - cv)
    return dx, dgain, dshift


def train_by_hand(weights, batches, lr):
    C, W1, b1, gain, shift, W2, b2 = [w.copy() for w in weights]
    losses = []
    for x, y in batches:
        n = len(x)
        emb = C[x]
        e = emb.reshape(n, -1)
        s = e @ W1 + b1
        mu = s.mean(0)
        var = s.var(0, ddof=1)
        r = 1 / np.sqrt(var + 1e-5)
        xhat = (s - mu) * r
        pre = gain * xhat + shift
        h = np.tanh(pre)
        z = h @ W2 + b2
        z = z - z.max(1, keepdims=True)
        p = np.exp(z)
        p = p / p.sum(1, keepdims=True)
        losses.append(-np.log(p[np.arange(n), y]).mean())
        dz = p.copy()
        dz[np.arange(n), y] -= 1
        dz = dz / n
        dW2 = h.T @ dz
        db2 = dz.sum(0)
        dh = dz @ W2.T
        dpre = (1 - h**2) * dh
        dgain = (dpre * xhat).sum(0)
        dshift = dpre.sum(0)
        dxhat = dpre * gain
        ds = r * (dxhat - dxhat.mean(0) - xhat * (dxhat * xhat).sum(0) / (n - 1))
        dW1 = e.T @ ds
        db1 = ds.sum(0)
        de = (ds @ W1.T).reshape(emb.shape)
        dC = np.zeros_like(C)
        np.add.at(dC, x, de)
        C = C - lr * dC
        W1 = W1 - lr * dW1
        b1 = b1 - lr * db1
        gain = gain - lr * dgain
        shift = shift - lr * dshift
        W2 = W2 - lr * dW2
        b2 = b2 - lr * db2
    return losses, (C, W1, b1, gain, shift, W2, b2)


def tree_everywhere(vectors, edge, levels):
    k = len(levels)
    rows = [edge for _ in range(2**k - 1)] + list(vectors)
    h = np.stack(rows)
    for l in range(k):
        W, b = levels[l]
        d = 2**l
        older = h[:-d]
        newer = h[d:]
        h = np.tanh(np.concatenate([older, newer], axis=1) @ W + b)
    return h


def batch_norm_3d(x, gain, shift, running_mean, running_var, momentum):
    B, T, C = x.shape
    flat = x.reshape(B * T, C)
    mean = flat.mean(axis=0)
    var = flat.var(axis=0)
    xhat = (x - mean) / np.sqrt(var + 1e-5)
    y = gain * xhat + shift
    n = B * T
    new_mean = (1 - momentum) * running_mean + momentum * mean
    new_var = (1 - momentum) * running_var + momentum * var * n / (n - 1)
    return y, new_mean, new_var


def all_heads(x, Wq, Wk, Wv, heads):
    B, T, C = x.shape
    D = C // heads
    q, k, v = x @ Wq, x @ Wk, x @ Wv
    outs = []
    mask = np.tril(np.ones((T, T)))
    for i in range(heads):
        lo, hi = i * D, (i + 1) * D
        qi, ki, vi = q[:, :, lo:hi], k[:, :, lo:hi], v[:, :, lo:hi]
        att = qi @ ki.transpose(0, 2, 1) / np.sqrt(D)
        att = np.where(mask == 0, -np.inf, att)
        att = np.exp(att - att.max(axis=-1, keepdims=True))
        att = att / att.sum(axis=-1, keepdims=True)
        outs.append(att @ vi)
    return np.concatenate(outs, axis=-1)


def encode_sum(a, b, digits):
    sa = str(a).zfill(digits)
    sb = str(b).zfill(digits)
    sc = str(a + b).zfill(digits + 1)[::-1]
    ids = [int(c) for c in sa + sb + sc]
    x = ids[:-1]
    y = ids[1:]
    for i in range(2 * digits - 1):
        y[i] = -1
    return x, y


def splice(old, fresh, old_characters, fresh_characters):
    new = {}
    for name in fresh:
        new[name] = old[name].copy()
    new["token.weight"] = fresh["token.weight"].copy()
    new["output.weight"] = fresh["output.weight"].copy()
    where = {ch: j for j, ch in enumerate(old_characters)}
    for i, ch in enumerate(fresh_characters):
        if ch in where:
            j = where[ch]
            new["token.weight"][i] = old["token.weight"][j]
            new["output.weight"][:, i] = old["output.weight"][:, j]
    return new


def rotate(x, positions, base):
    T, D = x.shape
    out = np.zeros((T, D))
    for t in range(T):
        for i in range(D // 2):
            angle = positions[t] * base ** (-2 * i / D)
            a = x[t, 2 * i]
            b = x[t, 2 * i + 1]
            out[t, 2 * i] = a * math.cos(angle) - b * math.sin(angle)
            out[t, 2 * i + 1] = a * math.sin(angle) + b * math.cos(angle)
    return out


def rmsnorm(x):
    mean = sum(number * number for number in x) / len(x)
    scale = (mean + 1e-5) ** -0.5
    return [number * scale for number in x]


def query_gradient(query, keys, dscores):
    D = len(query)
    dquery = [0.0] * D
    for key, d in zip(keys, dscores):
        for j in range(D):
            dquery[j] += d * key[j] / math.sqrt(D)
    return dquery


def adam_step(p, grad, m, v, t, lr):
    m = 0.85 * m + (1 - 0.85) * grad
    v = 0.99 * v + (1 - 0.99) * grad**2
    m_hat = m / (1 - 0.85**t)
    v_hat = v / (1 - 0.99**t)
    p = p - lr * m_hat / (v_hat**0.5 + 1e-8)
    return p, m, v


def all_heads_backward(dy, x, Wq, Wk, Wv, heads):
    x, dy = np.asarray(x), np.asarray(dy)
    B, T, C = x.shape
    D = C // heads
    dx, dWq, dWk, dWv = np.zeros_like(x), np.zeros_like(Wq), np.zeros_like(Wk), np.zeros_like(Wv)
    seen = np.tril(np.ones((T, T), bool))
    for b in range(B):
        for h in range(heads):
            part = slice(h * D, (h + 1) * D)
            q, k, v = x[b] @ Wq[:, part], x[b] @ Wk[:, part], x[b] @ Wv[:, part]
            w = np.exp(np.where(seen, q @ k.T / math.sqrt(D), -np.inf))
            w = w / w.sum(1, keepdims=True)
            d = dy[b, :, part]
            dw = d @ v.T
            ds = w * (dw - (w * dw).sum(1, keepdims=True)) / math.sqrt(D)
            dq, dk, dv = ds @ k, ds.T @ q, w.T @ d
            dx[b] += dq @ Wq[:, part].T + dk @ Wk[:, part].T + dv @ Wv[:, part].T
            dWq[:, part] += x[b].T @ dq
            dWk[:, part] += x[b].T @ dk
            dWv[:, part] += x[b].T @ dv
    return dx, dWq, dWk, dWv


def gpt_gradients(weights, steps, x, y, heads):
    x, y = np.asarray(x), np.asarray(y)
    B, T, C = steps.vectors.shape
    d, kept = {}, y >= 0
    dlogits = np.zeros_like(steps.logits)
    dlogits[kept] = cross_entropy_backward(steps.logits[kept], y[kept])
    d["W3"] = np.einsum("btc,btv->cv", steps.after2, dlogits)
    d["b3"] = dlogits.sum((0, 1))
    dafter2 = dlogits @ weights["W3"].T
    d["W2"] = np.einsum("bth,btc->hc", steps.hidden, dafter2)
    d["b2"] = dafter2.sum((0, 1))
    dsums = (1 - steps.hidden**2) * (dafter2 @ weights["W2"].T)
    d["W1"] = np.einsum("btc,bth->ch", steps.scaled2, dsums)
    d["b1"] = dsums.sum((0, 1))
    dx, d["gain2"], d["shift2"] = batch_norm_backward(
        (dsums @ weights["W1"].T).reshape(-1, C), steps.normal2.reshape(-1, C), steps.rstd2, weights["gain2"]
    )
    dafter1 = dafter2 + dx.reshape(B, T, C)
    dscaled1, d["Wq"], d["Wk"], d["Wv"] = all_heads_backward(
        dafter1, steps.scaled1, weights["Wq"], weights["Wk"], weights["Wv"], heads
    )
    dx, d["gain1"], d["shift1"] = batch_norm_backward(
        dscaled1.reshape(-1, C), steps.normal1.reshape(-1, C), steps.rstd1, weights["gain1"]
    )
    dvectors = dafter1 + dx.reshape(B, T, C)
    d["position"] = dvectors.sum(0)
    d["token"] = np.zeros_like(weights["token"])
    np.add.at(d["token"], x, dvectors)
    return d


def most_frequent_pair(ids):
    counts = {}
    for i in range(len(ids) - 1):
        pair = ids[i], ids[i + 1]
        counts[pair] = counts.get(pair, 0) + 1
    return max(counts, key=counts.get)


def merge_pair(ids, left, right, token):
    merged = []
    for id_ in ids:
        if merged and merged[-1] == ("left", left) and id_ == right:
            merged[-1] = ("whole", token)
        else:
            merged.append(("left" if id_ == left else "other", id_))
    return [id_ for _, id_ in merged]


def apply_merges(ids, merges):
    for number, (left, right) in enumerate(merges):
        ids = merge_pair(ids, left, right, 256 + number)
    return list(ids)


def bits_per_byte(nats, lengths):
    return sum(nats) / sum(lengths) / math.log(2)


def from_gpt2(state):
    turned = ["attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight"]
    model = {}
    for name in state:
        if name.endswith(".attn.bias") or name.endswith(".attn.masked_bias"):
            continue
        array = np.asarray(state[name])
        if any(name.endswith(end) for end in turned):
            array = np.transpose(array).copy()
        model["transformer." + name] = array
    model["lm_head.weight"] = model["transformer.wte.weight"].copy()
    return model


def gpt2_weights(shapes, layers, rng):
    weights = {}
    for name, shape in shapes.items():
        if name == "lm_head.weight":
            continue
        if "bias" in name:
            weights[name] = np.zeros(shape)
        elif "ln_" in name:
            weights[name] = np.ones(shape)
        else:
            std = 0.02
            if "c_proj" in name:
                std *= (2 * layers) ** -0.5
            weights[name] = std * rng.standard_normal(shape)
    weights["lm_head.weight"] = weights["transformer.wte.weight"].copy()
    return weights


def decay_groups(shapes, tied):
    decay, rest = [], []
    for name, shape in shapes.items():
        if name in tied:
            continue
        if len(shape) > 1:
            decay.append(name)
        else:
            rest.append(name)
    return decay, rest


def accumulate(loss_and_gradient, batches):
    count = sum(np.count_nonzero(y != -1) for x, y in batches)
    loss, grad = 0.0, 0.0
    for x, y in batches:
        one, d = loss_and_gradient(x, y)
        share = np.count_nonzero(y != -1) / count
        loss += one * share
        grad = grad + d * share
    return loss, grad


def rate_at(step, highest, lowest, warmup, steps):
    if step < warmup:
        return highest * (step + 1) / warmup
    if step > steps:
        return lowest
    ratio = (step - warmup) / (steps - warmup)
    coeff = 0.5 * (1.0 + math.cos(math.pi * ratio))
    return lowest + coeff * (highest - lowest)


def add_block(scores, v, largest, total, read):
    new, sums, mixed = np.array(largest), np.array(total), np.array(read)
    for r in range(len(scores)):
        m = max(largest[r], scores[r].max())
        old = math.exp(largest[r] - m)
        p = np.exp(scores[r] - m)
        new[r] = m
        sums[r] = old * total[r] + p.sum()
        mixed[r] = old * read[r] + p @ v
    return new, sums, mixed


def attention_in_blocks(q, k, v, size):
    q, k, v = np.asarray(q), np.asarray(k), np.asarray(v)
    T, D = q.shape
    out = []
    for i in range(0, T, size):
        Q = q[i : i + size]
        m, l, acc = np.full(len(Q), -np.inf), np.zeros(len(Q)), np.zeros((len(Q), D))
        for j in range(0, i + size, size):
            K, V = k[j : j + size], v[j : j + size]
            S = Q @ K.T / math.sqrt(D)
            if j == i:
                S = np.where(np.tril(np.ones(S.shape)) == 1, S, -np.inf)
            m, l, acc = add_block(S, V, m, l, acc)
        out.append(acc / l[:, None])
    return np.concatenate(out)
