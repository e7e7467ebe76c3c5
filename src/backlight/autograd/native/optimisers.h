/* The updates of optim/adamw.py and optim/blending.py, each in one pass. */

#ifndef BACKLIGHT_OPTIMISERS_H
#define BACKLIGHT_OPTIMISERS_H

#include "step.h"

/* The numbers of a step of AdamW, the same for all weights. */
typedef struct {
    float beta_1, rest_1; /* rest = 1 - beta */
    float beta_2, rest_2;
    float unbias_2; /* 1 / sqrt(1 - beta_2^t) */
    float eps;
    float rate;  /* lr / (1 - beta_1^t) */
    float decay; /* lr times the weight decay */
} adamw_numbers;

/* `decaying` is 1 where the weights decay and 0 elsewhere; if it is NULL, all of them decay. */
static void adamw_of(int64_t size, float *restrict data, const float *restrict grad, float *restrict mean,
                  float *restrict square, const float *restrict decaying, const adamw_numbers *of) {
    adamw_numbers n = *of;
    for (int64_t i = 0; i < size; i++) {
        float decayed = data[i] - data[i] * (decaying ? decaying[i] * n.decay : n.decay);
        mean[i] = mean[i] * n.beta_1 + grad[i] * n.rest_1;
        square[i] = square[i] * n.beta_2 + grad[i] * grad[i] * n.rest_2;
        data[i] = decayed - mean[i] / (sqrtf(square[i]) * n.unbias_2 + n.eps) * n.rate;
    }
}

/* p = data, grad, mean, square, decaying or none, numbers */
static void adamw_part(const step *s, int64_t rows, int64_t from, int64_t to, int member) {
    (void)rows, (void)member;
    adamw_of(to - from, OUT(0) + from, IN(1) + from, OUT(2) + from, OUT(3) + from, IN(4) ? IN(4) + from : 0, s->p[5]);
}

/* moved = keep moved + take by: for SGD's step, its velocity and weight averages */
static void blend_of(int64_t size, float *restrict moved, const float *restrict by, float keep, float take) {
    for (int64_t i = 0; i < size; i++) moved[i] = moved[i] * keep + by[i] * take;
}

/* p = moved, by; f = keep, take */
static void blend_part(const step *s, int64_t rows, int64_t from, int64_t to, int member) {
    (void)rows, (void)member;
    blend_of(to - from, OUT(0) + from, IN(1) + from, s->f[0], s->f[1]);
}

#endif
