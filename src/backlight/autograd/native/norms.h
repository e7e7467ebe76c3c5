/* Batch norm and layer norm: docs/derivations/batch_norm.md and layer_norm.md. */

#ifndef BACKLIGHT_NORMS_H
#define BACKLIGHT_NORMS_H

#include "step.h"

/* -- batch norm: p = x, gain, bias, y, mean, r, running mean and variance or none | x, gain, dy, dx, dgain, dbias, mean,
      r; n = C | C, add to dx, to dgain, to dbias; f = eps, momentum ----------------------------------------------------- */

static void batch_norm(const step *s, int64_t rows) {
    int64_t C = s->n[0];
    const float *x = IN(0), *gain = IN(1), *bias = IN(2);
    float *y = OUT(3), *mean = OUT(4), *r = OUT(5), variance[MOST_COLUMNS], momentum = s->f[1];
    column_sums(rows, C, x, 0, mean, 0);
    EACH(j, C) mean[j] /= (float)rows;
    EACH(i, rows) EACH(j, C) y[i * C + j] = x[i * C + j] - mean[j];
    column_sums(rows, C, y, y, variance, 0);
    EACH(j, C) variance[j] /= (float)rows;
    if (OUT(6)) {
        float *running_mean = OUT(6), *running_variance = OUT(7), unbiased = momentum * (float)rows / (float)(rows - 1);
        EACH(j, C) running_mean[j] = running_mean[j] * (1 - momentum) + momentum * mean[j];
        EACH(j, C) running_variance[j] = running_variance[j] * (1 - momentum) + unbiased * variance[j];
    }
    EACH(j, C) r[j] = 1 / sqrtf(variance[j] + s->f[0]);
    EACH(j, C) variance[j] = r[j] * gain[j];
    EACH(i, rows) EACH(j, C) y[i * C + j] = y[i * C + j] * variance[j] + bias[j];
}

static void batch_norm_back(const step *s, int64_t rows) {
    int64_t C = s->n[0];
    const float *x = IN(0), *gain = IN(1), *dy = IN(2), *mean = IN(6), *r = IN(7);
    float along[MOST_COLUMNS], level[MOST_COLUMNS], part[2][MOST_COLUMNS];
    memset(along, 0, 4 * (size_t)C);
    memset(level, 0, 4 * (size_t)C);
    for (int64_t from = 0; from < rows; from += BLOCK) {
        int64_t to = from + BLOCK < rows ? from + BLOCK : rows;
        memset(part[0], 0, 4 * (size_t)C);
        memset(part[1], 0, 4 * (size_t)C);
        for (int64_t i = from; i < to; i++)
            EACH(j, C) {
                float above = dy[i * C + j];
                part[0][j] += above;
                part[1][j] += above * (x[i * C + j] - mean[j]);
            }
        EACH(j, C) level[j] += part[0][j];
        EACH(j, C) along[j] += part[1][j];
    }
    EACH(j, C) along[j] *= r[j];
    if (OUT(4)) EACH(j, C) OUT(4)[j] = along[j] + (s->n[2] ? OUT(4)[j] : 0);
    if (OUT(5)) EACH(j, C) OUT(5)[j] = level[j] + (s->n[3] ? OUT(5)[j] : 0);
    if (!OUT(3)) return;
    EACH(j, C) {
        part[0][j] = gain[j] * r[j];
        along[j] *= r[j] / (float)rows;
        level[j] /= (float)rows;
    }
    float *dx = OUT(3);
    if (s->n[1])
        EACH(i, rows) EACH(j, C) dx[i * C + j] +=
            part[0][j] * (dy[i * C + j] - level[j] - (x[i * C + j] - mean[j]) * along[j]);
    else
        EACH(i, rows) EACH(j, C) dx[i * C + j] =
            part[0][j] * (dy[i * C + j] - level[j] - (x[i * C + j] - mean[j]) * along[j]);
}

/* -- layer norm: p = x, gain, bias, y, mean and r of each row | x, gain, dy, dx, dgain, dbias, mean, r; n and f as for
      batch norm ---------------------------------------------------------------------------------------------------------- */

/* The sum of a row, several lanes at a time. */
INLINE float row_sum(const float *x, int64_t C) {
    vec total = all(0);
    int64_t j = 0;
    for (; j + LANES <= C; j += LANES) total += load(x + j);
    if (j < C) total += load_some(x + j, C - j);
    return sum(total);
}

static void layer_norm(const step *s, int64_t rows) {
    int64_t C = s->n[0];
    const float *gain = IN(1), *bias = IN(2);
    EACH(i, rows) {
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

static void layer_norm_back(const step *s, int64_t rows) {
    int64_t C = s->n[0];
    const float *gain = IN(1);
    float part[2][MOST_COLUMNS], g[MOST_COLUMNS], xhat[MOST_COLUMNS];
    if (OUT(4) && !s->n[2]) memset(OUT(4), 0, 4 * (size_t)C);
    if (OUT(5) && !s->n[3]) memset(OUT(5), 0, 4 * (size_t)C);
    for (int64_t from = 0; from < rows; from += BLOCK) {
        int64_t to = from + BLOCK < rows ? from + BLOCK : rows;
        memset(part[0], 0, 4 * (size_t)C);
        memset(part[1], 0, 4 * (size_t)C);
        for (int64_t i = from; i < to; i++) {
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
        if (OUT(4)) EACH(j, C) OUT(4)[j] += part[0][j];
        if (OUT(5)) EACH(j, C) OUT(5)[j] += part[1][j];
    }
}

#endif
