/* Embeddings, linear layers, elementwise functions, sums and dropout. */

#ifndef BACKLIGHT_LAYERS_H
#define BACKLIGHT_LAYERS_H

#include "step.h"

/* -- embed: p = ids, W, y | ids, dy, dW; n = C, R ----------------------------------------------------------------- */

static void embed(const step *s, int64_t rows) {
    int64_t C = s->n[0], R = s->n[1];
    const int64_t *ids = IDS(0);
    EACH(i, rows) {
        if ((uint64_t)ids[i] >= (uint64_t)R) {
            failed = 1;
            return;
        }
        memcpy(OUT(2) + i * C, IN(1) + ids[i] * C, 4 * (size_t)C);
    }
}

static void embed_back(const step *s, int64_t rows) {
    int64_t C = s->n[0], R = s->n[1];
    const int64_t *ids = IDS(0);
    if (!s->n[2]) memset(OUT(2), 0, 4 * (size_t)(R * C));
    EACH(i, rows) {
        const float *from = IN(1) + i * C;
        float *to = OUT(2) + ids[i] * C;
        EACH(j, C) to[j] += from[j];
    }
}

/* -- linear: p = x, W, b or none, y, scratch | x, W, dy, dx, dW, db, each or none, scratch; n = I, O, threads | I, O,
      threads, add to dx, to dW, to db --------------------------------------------------------------------------------- */

static void linear(const step *s, int64_t rows) {
    int64_t I = s->n[0], O = s->n[1];
    if (IN(2)) EACH(i, rows) memcpy(OUT(3) + i * O, IN(2), 4 * (size_t)O);
    multiply(rows, O, I, (matrix){IN(0), I, 1}, (matrix){IN(1), O, 1}, OUT(3), IN(2) != 0, (int)s->n[2], OUT(4));
}

static void linear_back(const step *s, int64_t rows) {
    int64_t I = s->n[0], O = s->n[1];
    int threads = (int)s->n[2];
    matrix x_across = {IN(0), 1, I}, dy = {IN(2), O, 1}, w_across = {IN(1), 1, O};
    if (OUT(5)) column_sums(rows, O, IN(2), 0, OUT(5), (int)s->n[5]);
    if (OUT(4)) multiply(I, O, rows, x_across, dy, OUT(4), (int)s->n[4], threads, OUT(6));
    if (OUT(3)) multiply(rows, I, O, dy, w_across, OUT(3), (int)s->n[3], threads, OUT(6));
}

/* -- elementwise functions: p = x, y | x or y, dy, dx; n = C ----------------------------------------------------------- */

INLINE vec gelu_slope(vec x) { return 2 * 0.797884561f * (x + 0.044715f * x * x * x); } /* 2u of tanh u */

#define ELEMENTWISE(name, ...) \
    INLINE vec name##_of(vec x) { return __VA_ARGS__; } \
    static void name(const step *s, int64_t rows) { \
        int64_t size = rows * s->n[0], i = 0; \
        for (; i + LANES <= size; i += LANES) store(OUT(1) + i, name##_of(load(IN(0) + i))); \
        if (i < size) store_some(OUT(1) + i, name##_of(load_some(IN(0) + i, size - i)), size - i); \
    }

#define ELEMENTWISE_BACK(name, ...) \
    INLINE vec name##_of(vec x, vec dy) { return __VA_ARGS__; } \
    static void name(const step *s, int64_t rows) { \
        int64_t size = rows * s->n[0], i = 0; \
        int add = (int)s->n[1]; \
        for (; i + LANES <= size; i += LANES) \
            put(OUT(2) + i, name##_of(load(IN(0) + i), load(IN(1) + i)), add); \
        if (i < size) \
            put_some(OUT(2) + i, name##_of(load_some(IN(0) + i, size - i), load_some(IN(1) + i, size - i)), size - i, \
                     add); \
    }

ELEMENTWISE(tanh_op, vtanh(x))
ELEMENTWISE_BACK(tanh_back, dy * (1 - x * x))
ELEMENTWISE(relu, choose(x < all(0), all(0), x))
ELEMENTWISE_BACK(relu_back, choose(x > all(0), dy, all(0)))
/* (1 + tanh u) / 2 is the sigmoid of 2u, whose derivative is s (1 - s) */
ELEMENTWISE(gelu, x *sigmoid(gelu_slope(x)))
INLINE vec gelu_back_at(vec x, vec dy) {
    vec share = sigmoid(gelu_slope(x)), inner = 2 * 0.797884561f * (1 + 3 * 0.044715f * x * x);
    return dy * (share + x * share * (1 - share) * inner);
}
ELEMENTWISE_BACK(gelu_back, gelu_back_at(x, dy))

/* -- add: p = a, b, y | dy, d; n = C, rows of b (0: as many as a) | C, add, rows of b ---------------------------------- */

static void add(const step *s, int64_t rows) {
    int64_t C = s->n[0], period = (s->n[1] ? s->n[1] : rows) * C, size = rows * C;
    for (int64_t from = 0; from < size; from += period) {
        const float *a = IN(0) + from, *b = IN(1);
        float *y = OUT(2) + from;
        int64_t count = period < size - from ? period : size - from;
        EACH(i, count) y[i] = a[i] + b[i];
    }
}

static void add_back(const step *s, int64_t rows) {
    int64_t C = s->n[0], period = (s->n[2] ? s->n[2] : rows) * C, size = rows * C;
    float *d = OUT(1);
    const float *dy = IN(0);
    if (!s->n[1]) memcpy(d, dy, 4 * (size_t)period);
    for (int64_t from = s->n[1] ? 0 : period; from < size; from += period) EACH(i, period) d[i] += dy[from + i];
}

/* -- dropout: p = x, drawn numbers, y | dy, drawn numbers, dx; n = C, add; f = p, 1 / (1 - p) -------------------------- */

INLINE vec kept_share(vec drawn, vec p, vec share) { return (vec)((drawn >= p) & (ivec)share); }

static void dropout_part(const float *x, const float *drawn, float *y, int64_t size, const step *s) {
    vec p = all(s->f[0]), share = all(s->f[1]);
    int64_t i = 0;
    for (; i + LANES <= size; i += LANES)
        put(y + i, load(x + i) * kept_share(load(drawn + i), p, share), (int)s->n[1]);
    for (; i < size; i++) y[i] = (s->n[1] ? y[i] : 0) + (drawn[i] >= s->f[0] ? x[i] * s->f[1] : 0);
}

static void dropout(const step *s, int64_t rows) { dropout_part(IN(0), IN(1), OUT(2), rows * s->n[0], s); }

#endif
