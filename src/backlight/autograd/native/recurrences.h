/* RNN, GRU and LSTM, all time steps: docs/derivations/recurrent.md, and autograd/ops/recurrence.py, gru.py, lstm.py.

   Batches are packed, with the longest sequences first: time step t has the rows starts[t] .. starts[t + 1] - 1, never
   more than the step before, and its row i continues row i of that step. The initial states are 0. */

#ifndef BACKLIGHT_RECURRENCES_H
#define BACKLIGHT_RECURRENCES_H

#include "layers.h"

/* p = x, W, U, b, d or none, y, gates, u, tanh c, starts, [T, rows of the first], scratch | the same and, from 12 on, dy,
   dx, dW, dU, db, dd, and arrays for da, da of the hidden side, dh, dc, previous states; n = I, H, threads | and from 3 on
   add to dx, dW, dU, db, dd. For a GRU, u are the hidden sums with their bias d; for an LSTM, the cells c. */
typedef struct {
    int64_t I, H, G, T; /* G is the number of sums per row: gates x H */
    const int64_t *starts;
    const float *x, *W, *U, *b, *d;
    float *y, *gates, *u, *tanh_c, *scratch, *da, *dah, *dh, *dc, *before;
    int threads;
} recurrence;

INLINE recurrence recurrence_of(const step *s, int64_t gates, int back) {
    recurrence r = {s->n[0], s->n[1], gates * s->n[1], IDS(10)[0], IDS(9), IN(0), IN(1), IN(2), IN(3), IN(4),
                    OUT(5),  OUT(6),  OUT(7),          OUT(8),     OUT(11), 0,     0,     0,     0,     0,    (int)s->n[2]};
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

#define LANES_OF_ROWS(t) \
    for (int64_t i = r->starts[t], before = (t) ? r->starts[(t) - 1] + i - r->starts[t] : 0; i < r->starts[(t) + 1]; \
         i++, before++) \
        for (int64_t j = 0, left = H; j < H; j += LANES, left -= LANES)

/* sums = x W + bias */
static void input_sums(const recurrence *r, int64_t rows) {
    EACH(i, rows) memcpy(r->gates + i * r->G, r->b, 4 * (size_t)r->G);
    multiply(rows, r->G, r->I, (matrix){r->x, r->I, 1}, (matrix){r->W, r->G, 1}, r->gates, 1, r->threads, r->scratch);
}

/* sums of step t += states of the previous step times U */
static void hidden_sums(const recurrence *r, int64_t t, float *sums) {
    if (t)
        multiply(rows_at(r, t), r->G, r->H, (matrix){r->y + r->starts[t - 1] * r->H, r->H, 1}, (matrix){r->U, r->G, 1},
                 sums + r->starts[t] * r->G, 1, r->threads, r->scratch);
}

static void rnn(const step *s, int64_t rows) {
    recurrence all_of = recurrence_of(s, 1, 0), *r = &all_of;
    int64_t H = r->H;
    input_sums(r, rows);
    EACH(t, r->T) {
        hidden_sums(r, t, r->gates);
        LANES_OF_ROWS(t) set(r->y + i * H + j, vtanh(get(r->gates + i * H + j, left)), left);
    }
}

static void gru(const step *s, int64_t rows) {
    recurrence all_of = recurrence_of(s, 3, 0), *r = &all_of;
    int64_t H = r->H;
    input_sums(r, rows);
    EACH(i, rows) memcpy(r->u + i * r->G, r->d, 4 * (size_t)r->G);
    EACH(t, r->T) {
        hidden_sums(r, t, r->u);
        LANES_OF_ROWS(t) {
            float *a = r->gates + i * r->G + j, *u = r->u + i * r->G + j;
            vec reset = sigmoid(get(a, left) + get(u, left)), z = sigmoid(get(a + H, left) + get(u + H, left));
            vec n = vtanh(get(a + 2 * H, left) + reset * get(u + 2 * H, left));
            vec state = t ? get(r->y + before * H + j, left) : all(0);
            set(a, reset, left), set(a + H, z, left), set(a + 2 * H, n, left);
            set(r->y + i * H + j, n + z * (state - n), left);
        }
    }
}

static void lstm(const step *s, int64_t rows) {
    recurrence all_of = recurrence_of(s, 4, 0), *r = &all_of;
    int64_t H = r->H;
    input_sums(r, rows);
    EACH(t, r->T) {
        hidden_sums(r, t, r->gates);
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
}

/* dh of the previous step += da Uᵀ */
static void to_before(const recurrence *r, int64_t t, const float *da) {
    if (t)
        multiply(rows_at(r, t), r->H, r->G, (matrix){da + r->starts[t] * r->G, r->G, 1}, (matrix){r->U, 1, r->G},
                 r->dh + r->starts[t - 1] * r->H, 1, r->threads, r->scratch);
}

/* Compute the gradients of x and the weights from those of all sums. */
static void weights_back(const step *s, const recurrence *r, int64_t rows, const float *dah) {
    int64_t I = r->I, H = r->H, G = r->G, carried = rows - rows_at(r, 0);
    for (int64_t t = 1; t < r->T; t++)
        memcpy(r->before + (r->starts[t] - r->starts[1]) * H, r->y + r->starts[t - 1] * H,
               4 * (size_t)(rows_at(r, t) * H));
    matrix da = {r->da, G, 1}, carried_da = {dah + rows_at(r, 0) * G, G, 1};
    if (OUT(14)) multiply(I, G, rows, (matrix){r->x, 1, I}, da, OUT(14), (int)s->n[4], r->threads, r->scratch);
    if (OUT(15)) multiply(H, G, carried, (matrix){r->before, 1, H}, carried_da, OUT(15), (int)s->n[5], r->threads, r->scratch);
    if (OUT(16)) column_sums(rows, G, r->da, 0, OUT(16), (int)s->n[6]);
    if (OUT(17)) column_sums(rows, G, dah, 0, OUT(17), (int)s->n[7]);
    if (OUT(13)) multiply(rows, I, G, da, (matrix){r->W, 1, G}, OUT(13), (int)s->n[3], r->threads, r->scratch);
}

static void rnn_back(const step *s, int64_t rows) {
    recurrence all_of = recurrence_of(s, 1, 1), *r = &all_of;
    int64_t H = r->H;
    memcpy(r->dh, IN(12), 4 * (size_t)(rows * H));
    for (int64_t t = r->T - 1; t >= 0; t--) {
        LANES_OF_ROWS(t) {
            vec y = get(r->y + i * H + j, left);
            set(r->da + i * H + j, get(r->dh + i * H + j, left) * (1 - y * y), left);
        }
        to_before(r, t, r->da);
    }
    weights_back(s, r, rows, r->da);
}

static void gru_back(const step *s, int64_t rows) {
    recurrence all_of = recurrence_of(s, 3, 1), *r = &all_of;
    int64_t H = r->H;
    memcpy(r->dh, IN(12), 4 * (size_t)(rows * H));
    for (int64_t t = r->T - 1; t >= 0; t--) {
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
        to_before(r, t, r->dah);
    }
    weights_back(s, r, rows, r->dah);
}

static void lstm_back(const step *s, int64_t rows) {
    recurrence all_of = recurrence_of(s, 4, 1), *r = &all_of;
    int64_t H = r->H;
    memcpy(r->dh, IN(12), 4 * (size_t)(rows * H));
    memset(r->dc, 0, 4 * (size_t)(rows * H));
    for (int64_t t = r->T - 1; t >= 0; t--) {
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
        to_before(r, t, r->da);
    }
    weights_back(s, r, rows, r->da);
}

#endif
