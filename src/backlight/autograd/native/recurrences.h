/* RNN, GRU and LSTM, all time steps: docs/derivations/recurrent.md, and autograd/ops/recurrence.py, gru.py, lstm.py.

   Batches are packed, with the longest sequences first: time step t has the rows starts[t] .. starts[t + 1] - 1, never
   more than the step before, and its row i continues row i of that step. The initial states are 0. */

#ifndef BACKLIGHT_RECURRENCES_H
#define BACKLIGHT_RECURRENCES_H

#include "layers.h"

/* p = x, W, U, b, d or none, y, gates, u, tanh c, starts, [T, rows of the first], none | the same and, from 12 on, dy,
   dx, dW, dU, db, dd, and arrays for da, da of the hidden side, dh, dc, previous states; n = I, H | and from 2 on
   add to dx, dW, dU, db, dd. For a GRU, u are the hidden sums with their bias d; for an LSTM, the cells c. */
typedef struct {
    int64_t I, H, G, T; /* G is the number of sums per row: gates x H */
    const int64_t *starts;
    const float *x, *W, *U, *b, *d;
    float *y, *gates, *u, *tanh_c, *da, *dah, *dh, *dc, *before;
} recurrence;

INLINE recurrence recurrence_of(const step *s, int64_t gates, int back) {
    recurrence r = {s->n[0], s->n[1], gates * s->n[1], IDS(10)[0], IDS(9), IN(0), IN(1), IN(2), IN(3), IN(4),
                    OUT(5),  OUT(6),  OUT(7),          OUT(8),     0,      0,     0,     0,     0};
    if (back) r.da = OUT(18), r.dah = OUT(19), r.dh = OUT(20), r.dc = OUT(21), r.before = OUT(22);
    return r;
}

INLINE int64_t rows_at(const recurrence *r, int64_t t) { return r->starts[t + 1] - r->starts[t]; }
INLINE vec get(const float *p, int64_t count) { return count >= LANES ? load(p) : load_some(p, count); }
INLINE void set(float *p, vec x, int64_t count) {
    if (count >= LANES)
        store(p, x);
    else
        store_some(p, x, count);
}

/* For the units from .. to - 1 of each row of a time step. */
#define LANES_OF_ROWS(t) \
    for (int64_t i = r->starts[t], before = (t) ? r->starts[(t) - 1] + i - r->starts[t] : 0; i < r->starts[(t) + 1]; \
         i++, before++) \
        for (int64_t j = from, left = to - from; j < to; j += LANES, left -= LANES)

/* Computes the units from .. to - 1 of a time step. It reads all units of the step before and writes only these. */
typedef void (*time_step)(const recurrence *r, int64_t t, int64_t from, int64_t to);

typedef struct {
    const recurrence *r;
    int64_t t, parts;
    time_step compute;
} units_work;

static void compute_units(void *work, int64_t part, int member) {
    const units_work *w = work;
    int64_t H = w->r->H, units = (H + VECTOR - 1) / VECTOR;
    int64_t from = units * part / w->parts * VECTOR, to = least(units * (part + 1) / w->parts * VECTOR, H);
    (void)member;
    if (from < to) w->compute(w->r, w->t, from, to);
}

/* Compute a time step, whose product with the hidden weights is `p`, or NULL if it has none. Time steps follow each other, so it
   is their units that are divided among threads. A product that is left to BLAS is not divided. */
static void at_time(const recurrence *r, int64_t t, const product *p, time_step compute) {
    double work = 3 * (double)(rows_at(r, t) * r->G);
    if (p) work += (double)p->rows * (double)p->columns * (double)p->terms / MULTIPLICATIONS;
    int64_t parts = p && for_blas(p) ? 1 : parts_of(work), units = (r->H + VECTOR - 1) / VECTOR;
    units_work all_of = {r, t, least(parts, units), compute};
    parallel(team, all_of.parts, compute_units, &all_of);
}

/* Some columns of a product; all of them if it is left to BLAS. */
static void columns_of(const product *p, int64_t from, int64_t to) {
    block part = {p, 0, p->rows, from, to - from};
    compute_block(&part);
}

/* sums = x W + bias */
static void input_sums(const recurrence *r, int64_t rows) {
    step s = {.n = {r->I, r->G}, .p = {(void *)r->x, (void *)r->W, (void *)r->b, r->gates}};
    linear(&s, rows);
}

/* sums of step t += states of the previous step times U */
INLINE product hidden_product(const recurrence *r, int64_t t, float *sums) {
    return (product){rows_at(r, t), r->G, r->H, {r->y + r->starts[t - 1] * r->H, r->H, 1}, {r->U, r->G, 1},
                     sums + r->starts[t] * r->G, r->G, 1};
}

static void hidden_sums(const recurrence *r, int64_t t, float *sums, int64_t from, int64_t to) {
    if (!t) return;
    product p = hidden_product(r, t, sums);
    if (for_blas(&p))
        columns_of(&p, 0, p.columns);
    else
        for (int64_t gate = 0; gate < r->G; gate += r->H) columns_of(&p, gate + from, gate + to);
}

static void over_time(const recurrence *r, float *sums, time_step compute) {
    at_time(r, 0, 0, compute);
    for (int64_t t = 1; t < r->T; t++) {
        product p = hidden_product(r, t, sums);
        at_time(r, t, &p, compute);
    }
}

static void rnn_units(const recurrence *r, int64_t t, int64_t from, int64_t to) {
    int64_t H = r->H;
    hidden_sums(r, t, r->gates, from, to);
    LANES_OF_ROWS(t) set(r->y + i * H + j, vtanh(get(r->gates + i * H + j, left)), left);
}

static void rnn(const step *s, int64_t rows) {
    recurrence r = recurrence_of(s, 1, 0);
    input_sums(&r, rows);
    over_time(&r, r.gates, rnn_units);
}

static void gru_units(const recurrence *r, int64_t t, int64_t from, int64_t to) {
    int64_t H = r->H;
    for (int64_t i = r->starts[t]; i < r->starts[t + 1]; i++)
        for (int64_t j = from; j < r->G; j += H) memcpy(r->u + i * r->G + j, r->d + j, 4 * (size_t)(to - from));
    hidden_sums(r, t, r->u, from, to);
    LANES_OF_ROWS(t) {
        float *a = r->gates + i * r->G + j, *u = r->u + i * r->G + j;
        vec reset = sigmoid(get(a, left) + get(u, left)), z = sigmoid(get(a + H, left) + get(u + H, left));
        vec n = vtanh(get(a + 2 * H, left) + reset * get(u + 2 * H, left));
        vec state = t ? get(r->y + before * H + j, left) : all(0);
        set(a, reset, left), set(a + H, z, left), set(a + 2 * H, n, left);
        set(r->y + i * H + j, n + z * (state - n), left);
    }
}

static void gru(const step *s, int64_t rows) {
    recurrence r = recurrence_of(s, 3, 0);
    input_sums(&r, rows);
    over_time(&r, r.u, gru_units);
}

static void lstm_units(const recurrence *r, int64_t t, int64_t from, int64_t to) {
    int64_t H = r->H;
    hidden_sums(r, t, r->gates, from, to);
    LANES_OF_ROWS(t) {
        float *a = r->gates + i * r->G + j;
        vec in = sigmoid(get(a, left)), forget = sigmoid(get(a + H, left)), g = vtanh(get(a + 2 * H, left));
        vec out = sigmoid(get(a + 3 * H, left)), cell = in * g;
        if (t) cell += forget * get(r->u + before * H + j, left);
        vec tanh_c = vtanh(cell);
        set(a, in, left), set(a + H, forget, left), set(a + 2 * H, g, left), set(a + 3 * H, out, left);
        set(r->u + i * H + j, cell, left), set(r->tanh_c + i * H + j, tanh_c, left);
        set(r->y + i * H + j, out * tanh_c, left);
    }
}

static void lstm(const step *s, int64_t rows) {
    recurrence r = recurrence_of(s, 4, 0);
    input_sums(&r, rows);
    over_time(&r, r.gates, lstm_units);
}

/* dh of step t += da of the next step times Uᵀ */
INLINE product product_before(const recurrence *r, int64_t t, const float *da) {
    return (product){rows_at(r, t + 1), r->H, r->G, {da + r->starts[t + 1] * r->G, r->G, 1}, {r->U, 1, r->G},
                     r->dh + r->starts[t] * r->H, r->H, 1};
}

static void from_next(const recurrence *r, int64_t t, const float *da, int64_t from, int64_t to) {
    if (t == r->T - 1) return;
    product p = product_before(r, t, da);
    columns_of(&p, from, to);
}

static void start_back(const step *s, int64_t rows, int64_t from, int64_t to, int member) {
    (void)rows, (void)member;
    memcpy(OUT(20) + from, IN(12) + from, 4 * (size_t)(to - from));
    if (OUT(21)) memset(OUT(21) + from, 0, 4 * (size_t)(to - from));
}

static void back_over_time(const step *s, const recurrence *r, int64_t rows, const float *da, time_step compute) {
    share(s, rows, rows * r->H, VECTOR, (double)(rows * r->H), start_back);
    at_time(r, r->T - 1, 0, compute);
    for (int64_t t = r->T - 2; t >= 0; t--) {
        product p = product_before(r, t, da);
        at_time(r, t, &p, compute);
    }
}

/* The states before the rows of the time steps from .. to - 1, without the first. */
static void copy_before(const step *s, int64_t rows, int64_t from, int64_t to, int member) {
    const int64_t *starts = IDS(9), H = s->n[1];
    (void)rows, (void)member;
    for (int64_t t = from + 1; t < to + 1; t++)
        memcpy(OUT(22) + (starts[t] - starts[1]) * H, OUT(5) + starts[t - 1] * H,
               4 * (size_t)((starts[t + 1] - starts[t]) * H));
}

/* Compute the gradients of x and the weights from those of all sums. */
static void weights_back(const step *s, const recurrence *r, int64_t rows, const float *dah) {
    int64_t I = r->I, H = r->H, G = r->G, first = rows_at(r, 0);
    step of_input = {.n = {I, G, s->n[2], s->n[3], s->n[5]},
                     .p = {(void *)r->x, (void *)r->W, r->da, OUT(13), OUT(14), OUT(16)}};
    step of_state = {.n = {H, G, 0, s->n[4], 0}, .p = {r->before, (void *)r->U, (void *)(dah + first * G), 0, OUT(15), 0}};
    step of_bias = {.n = {H, G, 0, 0, s->n[6]}, .p = {0, 0, (void *)dah, 0, 0, OUT(17)}};
    share(s, rows, r->T - 1, 1, (double)(rows * H), copy_before);
    linear_back(&of_input, rows);
    if (OUT(15)) linear_back(&of_state, rows - first);
    if (OUT(17)) linear_back(&of_bias, rows);
}

static void rnn_back_units(const recurrence *r, int64_t t, int64_t from, int64_t to) {
    int64_t H = r->H;
    from_next(r, t, r->da, from, to);
    LANES_OF_ROWS(t) {
        vec y = get(r->y + i * H + j, left);
        set(r->da + i * H + j, get(r->dh + i * H + j, left) * (1 - y * y), left);
    }
}

static void rnn_back(const step *s, int64_t rows) {
    recurrence r = recurrence_of(s, 1, 1);
    back_over_time(s, &r, rows, r.da, rnn_back_units);
    weights_back(s, &r, rows, r.da);
}

static void gru_back_units(const recurrence *r, int64_t t, int64_t from, int64_t to) {
    int64_t H = r->H;
    from_next(r, t, r->dah, from, to);
    LANES_OF_ROWS(t) {
        const float *a = r->gates + i * r->G + j;
        float *da = r->da + i * r->G + j, *dah = r->dah + i * r->G + j;
        vec reset = get(a, left), z = get(a + H, left), n = get(a + 2 * H, left);
        vec hidden = get(r->u + i * r->G + 2 * H + j, left), dh = get(r->dh + i * H + j, left);
        vec state = t ? get(r->y + before * H + j, left) : all(0);
        vec da_n = dh * (1 - z) * (1 - n * n), da_z = dh * (state - n) * z * (1 - z);
        vec da_r = da_n * hidden * reset * (1 - reset);
        set(da, da_r, left), set(da + H, da_z, left), set(da + 2 * H, da_n, left);
        set(dah, da_r, left), set(dah + H, da_z, left), set(dah + 2 * H, da_n * reset, left);
        if (t) set(r->dh + before * H + j, get(r->dh + before * H + j, left) + dh * z, left);
    }
}

static void gru_back(const step *s, int64_t rows) {
    recurrence r = recurrence_of(s, 3, 1);
    back_over_time(s, &r, rows, r.dah, gru_back_units);
    weights_back(s, &r, rows, r.dah);
}

static void lstm_back_units(const recurrence *r, int64_t t, int64_t from, int64_t to) {
    int64_t H = r->H;
    from_next(r, t, r->da, from, to);
    LANES_OF_ROWS(t) {
        const float *a = r->gates + i * r->G + j;
        float *da = r->da + i * r->G + j;
        vec in = get(a, left), forget = get(a + H, left), g = get(a + 2 * H, left), out = get(a + 3 * H, left);
        vec tanh_c = get(r->tanh_c + i * H + j, left), dh = get(r->dh + i * H + j, left);
        vec dc = get(r->dc + i * H + j, left) + dh * out * (1 - tanh_c * tanh_c);
        vec cell = t ? get(r->u + before * H + j, left) : all(0);
        set(da, dc * g * in * (1 - in), left), set(da + H, dc * cell * forget * (1 - forget), left);
        set(da + 2 * H, dc * in * (1 - g * g), left), set(da + 3 * H, dh * tanh_c * out * (1 - out), left);
        if (t) set(r->dc + before * H + j, dc * forget, left);
    }
}

static void lstm_back(const step *s, int64_t rows) {
    recurrence r = recurrence_of(s, 4, 1);
    back_over_time(s, &r, rows, r.da, lstm_back_units);
    weights_back(s, &r, rows, r.da);
}

#endif
