/* What a GPT computes without a graph, besides its products: for one more position of a text, and for its beginning.
   nn/decode_step.py has the same in NumPy. */

#ifndef BACKLIGHT_DECODING_H
#define BACKLIGHT_DECODING_H

#include "attention.h"
#include "norms.h"

/* a · b, n numbers. */
INLINE float decode_dot(const float *a, const float *b, int64_t n) {
    vec held = all(0);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) held += load(a + i) * load(b + i);
    if (i < n) held += load_some(a + i, n - i) * load_some(b + i, n - i);
    return sum(held);
}

/* y += p v, n numbers. */
INLINE void decode_add(float *y, float p, const float *v, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) store(y + i, load(y + i) + p * load(v + i));
    if (i < n) store_some(y + i, load_some(y + i, n - i) + p * load_some(v + i, n - i), n - i);
}

/* p = softmax(p), n numbers. */
static void decode_softmax(float *p, int64_t n) {
    float largest = p[0], total = 0;
    for (int64_t i = 1; i < n; i++) largest = p[i] > largest ? p[i] : largest;
    int64_t i = 0;
    vec totals = all(0);
    for (; i + LANES <= n; i += LANES) {
        vec e = vexp(load(p + i) - largest);
        store(p + i, e);
        totals += e;
    }
    if (i < n) {
        store_some(p + i, vexp(load_some(p + i, n - i) - largest), n - i);
        for (; i < n; i++) total += p[i];
    }
    float share = 1 / (total + sum(totals));
    for (i = 0; i < n; i++) p[i] *= share;
}

/* Attention of one query to T keys. keys, values: (T, H, D); q, y: (H, D); room: (H, T). */
static void decode_attention(int64_t T, int64_t H, int64_t D, const float *keys, const float *values, const float *q,
                             float *y, float *room) {
    float scale = 1 / sqrtf((float)D);
    for (int64_t t = 0; t < T; t++)
        for (int64_t h = 0; h < H; h++) room[h * T + t] = scale * decode_dot(q + h * D, keys + (t * H + h) * D, D);
    for (int64_t h = 0; h < H; h++) decode_softmax(room + h * T, T);
    memset(y, 0, 4 * (size_t)(H * D));
    for (int64_t t = 0; t < T; t++)
        for (int64_t h = 0; h < H; h++) decode_add(y + h * D, room[h * T + t], values + (t * H + h) * D, D);
}

/* y = gain x̂ + bias for each row, as in training. */
static void rows_norm(int64_t rows, int64_t C, const float *x, const float *gain, const float *bias, float eps, float *y) {
    float mean, r;
    for (int64_t i = 0; i < rows; i++) {
        step s = {.n = {C}, .f = {eps}, .p = {(void *)(x + i * C), (void *)gain, (void *)bias, y + i * C, &mean, &r}};
        layer_norm_rows(&s, 1, 0, 1, 0);
    }
}

/* y = x Φ(x), with the tanh approximation, n numbers. */
static void rows_gelu(int64_t n, const float *x, float *y) {
    step s = {.n = {1}, .p = {(void *)x, y}};
    gelu_part(&s, n, 0, n, 0);
}

/* Causal attention of the beginning of a text, qkv (T, 3C) to y (T, C). room: WIDTH(T) T + 2 LANES TERMS numbers. */
static void rows_attention(int64_t T, int64_t H, int64_t D, const float *qkv, float *y, float *room) {
    int64_t C = H * D, width = WIDTH(T);
    float *panel = room + T * width;
    for (int64_t h = 0; h < H; h++) {
        const float *q = qkv + h * D, *k = q + C, *v = k + C;
        matrix q_across = {q, 1, 3 * C}, k_down = {k, 3 * C, 1}, v_down = {v, 3 * C, 1}, by_query = {room, 1, width};
        multiply_here(T, T, D, k_down, q_across, room, width, 0, COLUMNS_FROM_ROW, panel);
        causal_softmax(room, T, width, 1 / sqrtf((float)D));
        multiply_here(T, D, T, by_query, v_down, y + h * D, C, 0, SUM_UP_TO_ROW, panel);
    }
}

#endif
