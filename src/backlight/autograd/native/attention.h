/* Causal self-attention, forward and backward, head by head.

   As in autograd/ops/attention.py, the weights W of a head have a row for each key and a column for each query, so that
   the softmax processes LANES columns at a time. Row k is needed only for queries q >= k. It is set to 0 for a few earlier
   queries (`reach`) that are in the same tile.

   Sequence b has the rows starts[b] .. starts[b + 1] - 1 of the batch. */

#ifndef BACKLIGHT_ATTENTION_H
#define BACKLIGHT_ATTENTION_H

#include "layers.h"

#define ATTENDED 4 /* a guess of the work for a number, at least */

#define WIDTH(n) (((n) + LANES - 1) / LANES * LANES)

/* A mask of the queries q, q + 1, ... that are not before key k. */
INLINE ivec not_before(int64_t q, int64_t k) {
    ivec lane;
    for (int i = 0; i < LANES; i++) lane[i] = i;
    return lane >= (ivec){0} + (int32_t)(k - q);
}

/* The number of keys of the queries q .. q + LANES - 1, and the number of rows of their columns that are read. */
INLINE int64_t keys_of(int64_t q, int64_t T) { return least(q + LANES, T); }
INLINE int64_t reach(int64_t q, int64_t T) { return least(q + LANES + TILE_ROWS, T); }

/* W = softmax(W scale) of each column */
static void causal_softmax(float *W, int64_t T, int64_t width, float scale) {
    for (int64_t q = 0; q < T; q += LANES) {
        float *column = W + q;
        vec largest = load(column), total = all(0); /* all queries attend to the first key */
        for (int64_t k = 1; k < keys_of(q, T); k++)
            largest = larger(choose(not_before(q, k), load(column + k * width), largest), largest);
        for (int64_t k = 0; k < keys_of(q, T); k++) {
            vec e = vexp((load(column + k * width) - largest) * scale);
            e = (vec)((ivec)e & not_before(q, k));
            store(column + k * width, e);
            total += e;
        }
        total = 1 / total;
        for (int64_t k = 0; k < keys_of(q, T); k++) store(column + k * width, load(column + k * width) * total);
        for (int64_t k = keys_of(q, T); k < reach(q, T); k++) store(column + k * width, all(0));
    }
}

/* The dropout factors of the weights of a key; `drawn` are its random numbers, one for each query. */
INLINE vec share_of(const float *drawn, int64_t q, int64_t queries, const step *s) {
    vec numbers = queries - q >= LANES ? load(drawn + q) : load_some(drawn + q, queries - q);
    return kept_share(numbers, all(s->f[0]), all(s->f[1]));
}

static void drop(const float *W, float *used, int64_t T, int64_t width, const float *drawn, int64_t drawn_row,
                 const step *s) {
    for (int64_t q = 0; q < T; q += LANES)
        for (int64_t k = 0; k < reach(q, T); k++)
            store(used + k * width + q, load(W + k * width + q) * share_of(drawn + k * drawn_row, q, drawn_row, s));
}

/* dS = W (dW - sum of W dW over the column) scale; with dropout, dW is first multiplied by the dropout factors */
static void causal_softmax_back(const float *W, float *dW, int64_t T, int64_t width, float scale, const float *drawn,
                                int64_t drawn_row, const step *s) {
    for (int64_t q = 0; q < T; q += LANES) {
        vec along = all(0);
        for (int64_t k = 0; k < keys_of(q, T); k++) {
            /* elements before the key were not computed and have arbitrary values */
            vec d = (vec)((ivec)load(dW + k * width + q) & not_before(q, k));
            if (drawn) d *= share_of(drawn + k * drawn_row, q, drawn_row, s);
            store(dW + k * width + q, d);
            along += d * load(W + k * width + q);
        }
        for (int64_t k = 0; k < keys_of(q, T); k++)
            store(dW + k * width + q, load(W + k * width + q) * (load(dW + k * width + q) - along) * scale);
        for (int64_t k = keys_of(q, T); k < reach(q, T); k++) store(dW + k * width + q, all(0));
    }
}

/* p = qkv, y, W, drawn numbers or none, starts, [B, T of the longest], scratch | qkv, dy, W, drawn, starts, [B, T],
   scratch, dqkv; n = C, H | C, H, add; f = p, 1 / (1 - p). Scratch has 2 x T x WIDTH(T) numbers for each thread. */

typedef struct {
    int64_t C, H, D, longest, width;
    float *used, *dW; /* of this thread */
} heads;

INLINE heads heads_of(const step *s, int member) {
    int64_t longest = IDS(5)[1], width = WIDTH(longest);
    float *room = OUT(6) + 2 * member * longest * width;
    return (heads){s->n[0], s->n[1], s->n[0] / s->n[1], longest, width, room, room + longest * width};
}

/* The heads from .. to - 1 of all sequences, counted sequence by sequence. */
static void attention_part(const step *s, int64_t rows, int64_t first, int64_t end, int member) {
    heads of = heads_of(s, member);
    int64_t C = of.C, D = of.D, longest = of.longest, width = of.width;
    _Alignas(64) float panel[PANEL], *used = of.used;
    (void)rows;
    for (int64_t head = first; head < end; head++) {
        int64_t b = head / of.H, h = head % of.H, from = IDS(4)[b], T = IDS(4)[b + 1] - from;
        const float *q = IN(0) + from * 3 * C + h * D, *k = q + C, *v = k + C;
        float *W = OUT(2) + head * longest * width;
        matrix q_across = {q, 1, 3 * C}, k_down = {k, 3 * C, 1}, v_down = {v, 3 * C, 1};
        multiply_here(T, T, D, k_down, q_across, W, width, 0, COLUMNS_FROM_ROW, panel);
        causal_softmax(W, T, width, 1 / sqrtf((float)D));
        if (IN(3)) drop(W, used, T, width, IN(3) + head * longest * longest, longest, s);
        matrix by_query = {IN(3) ? used : W, 1, width};
        multiply_here(T, D, T, by_query, v_down, OUT(1) + from * C + h * D, C, 0, SUM_UP_TO_ROW, panel);
    }
}

static void attention_back_part(const step *s, int64_t rows, int64_t first, int64_t end, int member) {
    heads of = heads_of(s, member);
    int64_t C = of.C, D = of.D, longest = of.longest, width = of.width;
    _Alignas(64) float panel[PANEL], *used = of.used, *dW = of.dW;
    int add = (int)s->n[2];
    (void)rows;
    for (int64_t head = first; head < end; head++) {
        int64_t b = head / of.H, h = head % of.H, from = IDS(4)[b], T = IDS(4)[b + 1] - from;
        const float *q = IN(0) + from * 3 * C + h * D, *k = q + C, *v = k + C, *dy = IN(1) + from * C + h * D;
        const float *W = IN(2) + head * longest * width, *drawn = IN(3) ? IN(3) + head * longest * longest : 0;
        float *dq = OUT(7) + from * 3 * C + h * D, *dk = dq + C, *dv = dk + C;
        if (drawn) drop(W, used, T, width, drawn, longest, s);
        multiply_here(T, D, T, (matrix){drawn ? used : W, width, 1}, (matrix){dy, C, 1}, dv, 3 * C, add, SUM_FROM_ROW,
                      panel);
        multiply_here(T, T, D, (matrix){v, 3 * C, 1}, (matrix){dy, 1, C}, dW, width, 0, COLUMNS_FROM_ROW, panel);
        causal_softmax_back(W, dW, T, width, 1 / sqrtf((float)D), drawn, longest, s);
        multiply_here(T, D, T, (matrix){dW, 1, width}, (matrix){k, 3 * C, 1}, dq, 3 * C, add, SUM_UP_TO_ROW, panel);
        multiply_here(T, D, T, (matrix){dW, width, 1}, (matrix){q, 3 * C, 1}, dk, 3 * C, add, SUM_FROM_ROW, panel);
    }
}

static void attention(const step *s, int64_t rows) {
    share(s, rows, IDS(5)[0] * s->n[1], 1, ATTENDED * (double)rows * (double)(s->n[0] + IDS(5)[1]), attention_part);
}

static void attention_back(const step *s, int64_t rows) {
    share(s, rows, IDS(5)[0] * s->n[1], 1, 2 * ATTENDED * (double)rows * (double)(s->n[0] + IDS(5)[1]), attention_back_part);
}

#endif
