/* Cross entropy. */

#ifndef BACKLIGHT_LOSSES_H
#define BACKLIGHT_LOSSES_H

#include "step.h"

/* -- cross entropy: p = logits, targets, probabilities, loss, count | probabilities, targets, dz, count; n = V --------- */

static void cross_entropy(const step *s, int64_t rows) {
    int64_t V = s->n[0], count = 0;
    double nats = 0;
    EACH(i, rows) {
        int64_t target = IDS(1)[i];
        const float *z = IN(0) + i * V;
        float *p = OUT(2) + i * V, largest = z[0], total;
        if (target < 0) continue;
        if (target >= V) {
            failed = 1;
            return;
        }
        count++;
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
        nats += logf(total) - (z[target] - largest);
        float share = 1 / total;
        EACH(k, V) p[k] *= share;
    }
    if (!count) failed = 1;
    *OUT(3) = (float)(nats / (double)count);
    *(int64_t *)s->p[4] = count;
}

static void cross_entropy_back(const step *s, int64_t rows) {
    int64_t V = s->n[0];
    float share = 1 / (float)*IDS(3);
    EACH(i, rows) {
        int64_t target = IDS(1)[i];
        const float *p = IN(0) + i * V;
        float *dz = OUT(2) + i * V;
        if (target < 0) {
            memset(dz, 0, 4 * (size_t)V);
            continue;
        }
        EACH(j, V) dz[j] = p[j] * share;
        dz[target] -= share;
    }
}

#endif
