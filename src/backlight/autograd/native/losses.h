/* Cross entropy. */

#ifndef BACKLIGHT_LOSSES_H
#define BACKLIGHT_LOSSES_H

#include "step.h"

/* -- cross entropy: p = logits, targets, probabilities, loss, count, nats of each row | probabilities, targets, dz, count;
      n = V --------------------------------------------------------------------------------------------------------------- */

static void cross_entropy_rows(const step *s, int64_t rows, int64_t from, int64_t to, int member) {
    int64_t V = s->n[0];
    (void)rows, (void)member;
    for (int64_t i = from; i < to; i++) {
        int64_t target = IDS(1)[i];
        const float *z = IN(0) + i * V;
        float *p = OUT(2) + i * V, largest = z[0], total;
        if (target < 0) continue;
        EACH(j, V) largest = z[j] > largest ? z[j] : largest;
        vec totals = all(0);
        int64_t j = 0;
        for (; j + LANES <= V; j += LANES) {
            vec e = vexp(load(z + j) - largest);
            store(p + j, e);
            totals += e;
        }
        total = sum(totals);
        if (j < V) {
            vec e = vexp(load_some(z + j, V - j) - largest);
            store_some(p + j, e, V - j);
            for (int64_t lane = 0; lane < V - j; lane++) total += e[lane];
        }
        OUT(5)[i] = logf(total) - (z[target] - largest);
        float part = 1 / total;
        EACH(k, V) p[k] *= part;
    }
}

static void cross_entropy(const step *s, int64_t rows) {
    int64_t V = s->n[0], count = 0;
    const int64_t *targets = IDS(1);
    double nats = 0;
    EACH(i, rows) {
        if (targets[i] >= V) {
            failed = 1;
            return;
        }
        count += targets[i] >= 0;
    }
    if (!count) failed = 1;
    share(s, rows, rows, 1, 5 * (double)(rows * V), cross_entropy_rows);
    EACH(i, rows) if (targets[i] >= 0) nats += OUT(5)[i];
    *OUT(3) = (float)(nats / (double)count);
    *(int64_t *)s->p[4] = count;
}

static void cross_entropy_back_rows(const step *s, int64_t rows, int64_t from, int64_t to, int member) {
    int64_t V = s->n[0];
    float part = 1 / (float)*IDS(3);
    (void)rows, (void)member;
    for (int64_t i = from; i < to; i++) {
        int64_t target = IDS(1)[i];
        const float *p = IN(0) + i * V;
        float *dz = OUT(2) + i * V;
        if (target < 0) {
            memset(dz, 0, 4 * (size_t)V);
            continue;
        }
        EACH(j, V) dz[j] = p[j] * part;
        dz[target] -= part;
    }
}

static void cross_entropy_back(const step *s, int64_t rows) {
    share(s, rows, rows, 1, (double)(rows * s->n[0]), cross_entropy_back_rows);
}

#endif
