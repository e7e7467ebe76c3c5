/* The format of a kernel call, and sums that several kernels need. */

#ifndef BACKLIGHT_STEP_H
#define BACKLIGHT_STEP_H

#include "products.h"

#define SLOTS 24

/* A kernel call, for `rows` rows, or for those of the batch if `rows` is 0. The kernel defines the meaning of p, n and f. */
typedef struct {
    int64_t op, rows, n[8];
    float f[4];
    void *p[SLOTS];
} step;

#define IN(i) ((const float *)s->p[i])
#define OUT(i) ((float *)s->p[i])
#define IDS(i) ((const int64_t *)s->p[i])
#define BLOCK 128 /* long sums are computed in blocks of this many rows, for accuracy */
#define MOST_COLUMNS 4096

static _Thread_local int failed; /* whether an id was out of range */

/* Computes the part from .. to - 1 of a kernel's work; `member` is the thread, from 0. */
typedef void (*partial)(const step *s, int64_t rows, int64_t from, int64_t to, int member);

typedef struct {
    const step *s;
    int64_t rows, size, unit, parts;
    partial compute;
} shared_work;

static void compute_share(void *given, int64_t part, int member) {
    const shared_work *w = given;
    int64_t units = (w->size + w->unit - 1) / w->unit;
    int64_t from = units * part / w->parts * w->unit, to = units * (part + 1) / w->parts * w->unit;
    if (from < to) w->compute(w->s, w->rows, from, least(to, w->size), member);
}

/* Compute 0 .. size - 1 on several threads, each a multiple of `unit` of it, if there is enough work for them. The work is
   measured in float32 numbers that are read, changed and written. */
static void share(const step *s, int64_t rows, int64_t size, int64_t unit, double work, partial compute) {
    shared_work all = {s, rows, size, unit, parts_of(work), compute};
    if (all.parts > 1)
        parallel(team, all.parts, compute_share, &all);
    else
        compute(s, rows, 0, size, 0);
}

#define VECTOR LANES /* arrays are divided at multiples, so that only the end of an array is not a whole vector */

/* total[j] (+)= sum over rows of x[i][j], or of x[i][j] y[i][j] if y is not NULL, for columns from .. to - 1 of C. */
static void column_sums(int64_t rows, int64_t C, const float *x, const float *y, float *total, int add, int64_t from,
                        int64_t to) {
    float part[MOST_COLUMNS];
    if (!add) memset(total + from, 0, 4 * (size_t)(to - from));
    for (int64_t first = 0; first < rows; first += BLOCK) {
        int64_t end = least(first + BLOCK, rows);
        memset(part + from, 0, 4 * (size_t)(to - from));
        for (int64_t i = first; i < end; i++) {
            const float *a = x + i * C, *b = y + i * C;
            if (y)
                for (int64_t j = from; j < to; j++) part[j] += a[j] * b[j];
            else
                for (int64_t j = from; j < to; j++) part[j] += a[j];
        }
        for (int64_t j = from; j < to; j++) total[j] += part[j];
    }
}

#endif
