/* Batch norm and layer norm: docs/derivations/batch_norm.md and layer_norm.md. */

#ifndef BACKLIGHT_NORMS_H
#define BACKLIGHT_NORMS_H

#include "step.h"

/* -- batch norm: p = x, gain, bias, y, mean, r, running mean and variance or none | x, gain, dy, dx, dgain, dbias, mean,
      r; n = C | C, add to dx, to dgain, to dbias; f = eps, momentum ----------------------------------------------------- */

#define COLUMNS(j) for (int64_t j = from; j < to; j++)

static void batch_norm_columns(const step *s, int64_t rows, int64_t from, int64_t to, int member) {
    int64_t C = s->n[0];
    const float *x = IN(0), *gain = IN(1), *bias = IN(2);
    float *y = OUT(3), *mean = OUT(4), *r = OUT(5), variance[MOST_COLUMNS], momentum = s->f[1];
    (void)member;
    column_sums(rows, C, x, 0, mean, 0, from, to);
    COLUMNS(j) mean[j] /= (float)rows;
    EACH(i, rows) COLUMNS(j) y[i * C + j] = x[i * C + j] - mean[j];
    column_sums(rows, C, y, y, variance, 0, from, to);
    COLUMNS(j) variance[j] /= (float)rows;
    if (OUT(6)) {
        float *running_mean = OUT(6), *running_variance = OUT(7), unbiased = momentum * (float)rows / (float)(rows - 1);
        COLUMNS(j) running_mean[j] = running_mean[j] * (1 - momentum) + momentum * mean[j];
        COLUMNS(j) running_variance[j] = running_variance[j] * (1 - momentum) + unbiased * variance[j];
    }
    COLUMNS(j) r[j] = 1 / sqrtf(variance[j] + s->f[0]);
    COLUMNS(j) variance[j] = r[j] * gain[j];
    EACH(i, rows) COLUMNS(j) y[i * C + j] = y[i * C + j] * variance[j] + bias[j];
}

static void batch_norm(const step *s, int64_t rows) {
    share(s, rows, s->n[0], VECTOR, 4 * (double)(rows * s->n[0]), batch_norm_columns);
}

static void batch_norm_back_columns(const step *s, int64_t rows, int64_t from, int64_t to, int member) {
    int64_t C = s->n[0];
    const float *x = IN(0), *gain = IN(1), *dy = IN(2), *mean = IN(6), *r = IN(7);
    float along[MOST_COLUMNS], level[MOST_COLUMNS], part[2][MOST_COLUMNS];
    size_t bytes = 4 * (size_t)(to - from);
    (void)member;
    memset(along + from, 0, bytes);
    memset(level + from, 0, bytes);
    for (int64_t first = 0; first < rows; first += BLOCK) {
        int64_t end = least(first + BLOCK, rows);
        memset(part[0] + from, 0, bytes);
        memset(part[1] + from, 0, bytes);
        for (int64_t i = first; i < end; i++)
            COLUMNS(j) {
                float above = dy[i * C + j];
                part[0][j] += above;
                part[1][j] += above * (x[i * C + j] - mean[j]);
            }
        COLUMNS(j) level[j] += part[0][j];
        COLUMNS(j) along[j] += part[1][j];
    }
    COLUMNS(j) along[j] *= r[j];
    if (OUT(4)) COLUMNS(j) OUT(4)[j] = along[j] + (s->n[2] ? OUT(4)[j] : 0);
    if (OUT(5)) COLUMNS(j) OUT(5)[j] = level[j] + (s->n[3] ? OUT(5)[j] : 0);
    if (!OUT(3)) return;
    COLUMNS(j) {
        part[0][j] = gain[j] * r[j];
        along[j] *= r[j] / (float)rows;
        level[j] /= (float)rows;
    }
    float *dx = OUT(3);
    if (s->n[1])
        EACH(i, rows) COLUMNS(j) dx[i * C + j] +=
            part[0][j] * (dy[i * C + j] - level[j] - (x[i * C + j] - mean[j]) * along[j]);
    else
        EACH(i, rows) COLUMNS(j) dx[i * C + j] =
            part[0][j] * (dy[i * C + j] - level[j] - (x[i * C + j] - mean[j]) * along[j]);
}

static void batch_norm_back(const step *s, int64_t rows) {
    share(s, rows, s->n[0], VECTOR, 4 * (double)(rows * s->n[0]), batch_norm_back_columns);
}

/* -- layer norm: p = x, gain, bias, y, mean and r of each row | x, gain, dy, dx, dgain, dbias, mean, r,
      scratch for 2 C numbers of each block of rows; n and f as for batch norm -------------------------------------------- */

/* The sum of a row, several lanes at a time. */
INLINE float row_sum(const float *x, int64_t C) {
    vec total = all(0);
    int64_t j = 0;
    for (; j + LANES <= C; j += LANES) total += load(x + j);
    if (j < C) total += load_some(x + j, C - j);
    return sum(total);
}

static void layer_norm_rows(const step *s, int64_t rows, int64_t from, int64_t to, int member) {
    int64_t C = s->n[0];
    const float *gain = IN(1), *bias = IN(2);
    (void)rows, (void)member;
    for (int64_t i = from; i < to; i++) {
        const float *x = IN(0) + i * C;
        float *y = OUT(3) + i * C, mean = row_sum(x, C) / (float)C, r;
        vec squares = all(0);
        int64_t j = 0;
        for (; j + LANES <= C; j += LANES) {
            vec centred = load(x + j) - mean;
            squares += centred * centred;
        }
        float variance = sum(squares);
        for (; j < C; j++) variance += (x[j] - mean) * (x[j] - mean);
        r = 1 / sqrtf(variance / (float)C + s->f[0]);
        OUT(4)[i] = mean;
        OUT(5)[i] = r;
        EACH(k, C) y[k] = (x[k] - mean) * r * gain[k] + bias[k];
    }
}

static void layer_norm(const step *s, int64_t rows) {
    share(s, rows, rows, 1, 2 * (double)(rows * s->n[0]), layer_norm_rows);
}

/* The rows from .. to - 1, from a multiple of BLOCK: dx, and for each block of rows its part of dgain and dbias. */
static void layer_norm_back_rows(const step *s, int64_t rows, int64_t from, int64_t to, int member) {
    int64_t C = s->n[0];
    const float *gain = IN(1);
    float part[2][MOST_COLUMNS], g[MOST_COLUMNS], xhat[MOST_COLUMNS];
    (void)rows, (void)member;
    for (int64_t first = from; first < to; first += BLOCK) {
        int64_t end = least(first + BLOCK, to);
        memset(part[0], 0, 4 * (size_t)C);
        memset(part[1], 0, 4 * (size_t)C);
        for (int64_t i = first; i < end; i++) {
            const float *x = IN(0) + i * C, *dy = IN(2) + i * C;
            float mean = IN(6)[i], r = IN(7)[i];
            EACH(j, C) {
                xhat[j] = (x[j] - mean) * r;
                part[0][j] += dy[j] * xhat[j];
                part[1][j] += dy[j];
                g[j] = dy[j] * gain[j];
            }
            if (!OUT(3)) continue;
            vec levels = all(0), alongs = all(0);
            int64_t j = 0;
            for (; j + LANES <= C; j += LANES) {
                levels += load(g + j);
                alongs += load(g + j) * load(xhat + j);
            }
            float level = sum(levels), along = sum(alongs), *dx = OUT(3) + i * C;
            for (; j < C; j++) {
                level += g[j];
                along += g[j] * xhat[j];
            }
            level /= (float)C;
            along /= (float)C;
            if (s->n[1])
                EACH(k, C) dx[k] += r * (g[k] - level - xhat[k] * along);
            else
                EACH(k, C) dx[k] = r * (g[k] - level - xhat[k] * along);
        }
        for (int which = 0; which < 2; which++)
            memcpy(OUT(8) + (first / BLOCK * 2 + which) * C, part[which], 4 * (size_t)C);
    }
}

static void layer_norm_back(const step *s, int64_t rows) {
    int64_t C = s->n[0];
    share(s, rows, rows, BLOCK, 3 * (double)(rows * C), layer_norm_back_rows);
    for (int which = 0; which < 2; which++) {
        float *total = OUT(4 + which);
        if (!total) continue;
        if (!s->n[2 + which]) memset(total, 0, 4 * (size_t)C);
        for (int64_t first = 0; first < rows; first += BLOCK) {
            const float *part = IN(8) + (first / BLOCK * 2 + which) * C;
            EACH(j, C) total[j] += part[j];
        }
    }
}

#endif
