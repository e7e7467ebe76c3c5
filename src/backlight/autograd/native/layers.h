/* Embeddings, linear layers, elementwise functions, sums and dropout. */

#ifndef BACKLIGHT_LAYERS_H
#define BACKLIGHT_LAYERS_H

#include "step.h"

/* -- embed: p = ids, W, y | ids, dy, dW; n = C, R ----------------------------------------------------------------- */

static void embed_rows(const step *s, int64_t rows, int64_t from, int64_t to, int member) {
    int64_t C = s->n[0];
    (void)rows, (void)member;
    for (int64_t i = from; i < to; i++) memcpy(OUT(2) + i * C, IN(1) + IDS(0)[i] * C, 4 * (size_t)C);
}

static void embed(const step *s, int64_t rows) {
    EACH(i, rows)
        if ((uint64_t)IDS(0)[i] >= (uint64_t)s->n[1]) {
            failed = 1;
            return;
        }
    share(s, rows, rows, 1, (double)rows * (double)s->n[0], embed_rows);
}

/* Columns are divided: rows of equal ids are added to the same row. */
static void embed_back_columns(const step *s, int64_t rows, int64_t from, int64_t to, int member) {
    int64_t C = s->n[0], R = s->n[1], count = to - from;
    const int64_t *ids = IDS(0);
    (void)member;
    if (!s->n[2]) {
        if (count == C)
            memset(OUT(2), 0, 4 * (size_t)(R * C));
        else
            EACH(r, R) memset(OUT(2) + r * C + from, 0, 4 * (size_t)count);
    }
    EACH(i, rows) {
        const float *dy = IN(1) + i * C + from;
        float *to_row = OUT(2) + ids[i] * C + from;
        EACH(j, count) to_row[j] += dy[j];
    }
}

static void embed_back(const step *s, int64_t rows) {
    double cleared = s->n[2] ? 0 : (double)s->n[1];
    share(s, rows, s->n[0], VECTOR, ((double)rows + cleared) * (double)s->n[0], embed_back_columns);
}

/* -- linear: p = x, W, b or none, y | x, W, dy, dx, dW, db, each or none; n = I, O | I, O, add to dx, to dW, to db ------ */

typedef struct {
    const step *s;
    int64_t rows, sums; /* the parts that sum the columns of dy */
    block blocks[3 * MOST_THREADS];
} linear_work;

static void linear_part(void *work, int64_t part, int member) {
    const linear_work *w = work;
    const block *k = w->blocks + part;
    const step *s = w->s;
    (void)member;
    if (IN(2))
        for (int64_t i = k->row; i < k->row + k->rows; i++)
            memcpy(k->of->c + i * k->of->c_row + k->column, IN(2) + k->column, 4 * (size_t)k->columns);
    compute_block(k);
}

static void linear(const step *s, int64_t rows) {
    int64_t I = s->n[0], O = s->n[1];
    product y = {rows, O, I, {IN(0), I, 1}, {IN(1), O, 1}, OUT(3), O, IN(2) != 0};
    linear_work work = {.s = s, .rows = rows};
    parallel(team, blocks_of(&y, work.blocks), linear_part, &work);
}

static void linear_back_part(void *work, int64_t part, int member) {
    const linear_work *w = work;
    const step *s = w->s;
    (void)member;
    if (part >= w->sums) {
        compute_block(w->blocks + part - w->sums);
        return;
    }
    int64_t O = s->n[1], units = (O + VECTOR - 1) / VECTOR;
    column_sums(w->rows, O, IN(2), 0, OUT(5), (int)s->n[4], units * part / w->sums * VECTOR,
                least(units * (part + 1) / w->sums * VECTOR, O));
}

/* The blocks of both products and the sums are parts of one job: small products, too, run beside each other. */
static void linear_back(const step *s, int64_t rows) {
    int64_t I = s->n[0], O = s->n[1], parts = 0;
    product dw = {I, O, rows, {IN(0), 1, I}, {IN(2), O, 1}, OUT(4), O, (int)s->n[3]};
    product dx = {rows, I, O, {IN(2), O, 1}, {IN(1), 1, O}, OUT(3), I, (int)s->n[2]};
    linear_work work = {.s = s, .rows = rows};
    if (OUT(5)) work.sums = least(parts_of((double)rows * (double)O), (O + VECTOR - 1) / VECTOR);
    if (OUT(4)) parts += blocks_of(&dw, work.blocks);
    if (OUT(3)) parts += blocks_of(&dx, work.blocks + parts);
    int together = parts_of((double)rows * (double)I * (double)O / MULTIPLICATIONS) > 1;
    parallel(together ? team : 1, work.sums + parts, linear_back_part, &work);
}

/* -- elementwise functions: p = x, y | x or y, dy, dx; n = C ----------------------------------------------------------- */

INLINE vec gelu_slope(vec x) { return 2 * 0.797884561f * (x + 0.044715f * x * x * x); } /* 2u of tanh u */

/* `cost` is the time for a number in units of one that is only copied. */
#define ELEMENTWISE(name, cost, ...) \
    INLINE vec name##_of(vec x) { return __VA_ARGS__; } \
    static void name##_part(const step *s, int64_t rows, int64_t i, int64_t to, int member) { \
        (void)rows, (void)member; \
        for (; i + LANES <= to; i += LANES) store(OUT(1) + i, name##_of(load(IN(0) + i))); \
        if (i < to) store_some(OUT(1) + i, name##_of(load_some(IN(0) + i, to - i)), to - i); \
    } \
    static void name(const step *s, int64_t rows) { \
        share(s, rows, rows * s->n[0], VECTOR, cost * (double)(rows * s->n[0]), name##_part); \
    }

#define ELEMENTWISE_BACK(name, cost, ...) \
    INLINE vec name##_of(vec x, vec dy) { return __VA_ARGS__; } \
    static void name##_part(const step *s, int64_t rows, int64_t i, int64_t to, int member) { \
        int add = (int)s->n[1]; \
        (void)rows, (void)member; \
        for (; i + LANES <= to; i += LANES) \
            put(OUT(2) + i, name##_of(load(IN(0) + i), load(IN(1) + i)), add); \
        if (i < to) \
            put_some(OUT(2) + i, name##_of(load_some(IN(0) + i, to - i), load_some(IN(1) + i, to - i)), to - i, add); \
    } \
    static void name(const step *s, int64_t rows) { \
        share(s, rows, rows * s->n[0], VECTOR, cost * (double)(rows * s->n[0]), name##_part); \
    }

ELEMENTWISE(tanh_op, 3, vtanh(x))
ELEMENTWISE_BACK(tanh_back, 1, dy * (1 - x * x))
ELEMENTWISE(relu, 1, choose(x < all(0), all(0), x))
ELEMENTWISE_BACK(relu_back, 1, choose(x > all(0), dy, all(0)))
/* (1 + tanh u) / 2 is the sigmoid of 2u, whose derivative is s (1 - s) */
ELEMENTWISE(gelu, 3, x *sigmoid(gelu_slope(x)))
INLINE vec gelu_back_at(vec x, vec dy) {
    vec share = sigmoid(gelu_slope(x)), inner = 2 * 0.797884561f * (1 + 3 * 0.044715f * x * x);
    return dy * (share + x * share * (1 - share) * inner);
}
ELEMENTWISE_BACK(gelu_back, 4, gelu_back_at(x, dy))

/* -- add: p = a, b, y | dy, d; n = C, rows of b (0: as many as a) | C, add, rows of b ---------------------------------- */

static void add_part(const step *s, int64_t rows, int64_t from, int64_t to, int member) {
    int64_t C = s->n[0], period = (s->n[1] ? s->n[1] : rows) * C;
    (void)member;
    while (from < to) {
        int64_t at = from % period, count = least(period - at, to - from);
        const float *a = IN(0) + from, *b = IN(1) + at;
        float *y = OUT(2) + from;
        EACH(i, count) y[i] = a[i] + b[i];
        from += count;
    }
}

static void add(const step *s, int64_t rows) {
    share(s, rows, rows * s->n[0], VECTOR, (double)(rows * s->n[0]), add_part);
}

/* The numbers from .. to - 1 of d. */
static void add_back_part(const step *s, int64_t rows, int64_t from, int64_t to, int member) {
    int64_t C = s->n[0], period = (s->n[2] ? s->n[2] : rows) * C, size = rows * C;
    float *d = OUT(1);
    const float *dy = IN(0);
    (void)member;
    if (!s->n[1]) memcpy(d + from, dy + from, 4 * (size_t)(to - from));
    for (int64_t first = s->n[1] ? 0 : period; first < size; first += period)
        for (int64_t i = from; i < to; i++) d[i] += dy[first + i];
}

static void add_back(const step *s, int64_t rows) {
    int64_t period = (s->n[2] ? s->n[2] : rows) * s->n[0];
    share(s, rows, period, VECTOR, (double)(rows * s->n[0]), add_back_part);
}

/* -- dropout: p = x, drawn numbers, y | dy, drawn numbers, dx; n = C, add; f = p, 1 / (1 - p) -------------------------- */

INLINE vec kept_share(vec drawn, vec p, vec share) { return (vec)((drawn >= p) & (ivec)share); }

static void dropout_part(const step *s, int64_t rows, int64_t i, int64_t to, int member) {
    const float *x = IN(0), *drawn = IN(1);
    float *y = OUT(2);
    vec p = all(s->f[0]), factor = all(s->f[1]);
    (void)rows, (void)member;
    for (; i + LANES <= to; i += LANES)
        put(y + i, load(x + i) * kept_share(load(drawn + i), p, factor), (int)s->n[1]);
    for (; i < to; i++) y[i] = (s->n[1] ? y[i] : 0) + (drawn[i] >= s->f[0] ? x[i] * s->f[1] : 0);
}

static void dropout(const step *s, int64_t rows) {
    share(s, rows, rows * s->n[0], VECTOR, (double)(rows * s->n[0]), dropout_part);
}

#endif
