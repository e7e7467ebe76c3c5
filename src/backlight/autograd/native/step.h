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
#define EACH(i, count) for (int64_t i = 0; i < (count); i++)
#define BLOCK 128 /* long sums are computed in blocks of this many rows, for accuracy */
#define MOST_COLUMNS 4096

static int failed; /* whether an id was out of range */

/* total[j] (+)= sum over rows of x[i][j], or of x[i][j] y[i][j] if y is not NULL. */
static void column_sums(int64_t rows, int64_t C, const float *x, const float *y, float *total, int add) {
    float part[MOST_COLUMNS];
    if (!add) memset(total, 0, 4 * (size_t)C);
    for (int64_t from = 0; from < rows; from += BLOCK) {
        int64_t to = from + BLOCK < rows ? from + BLOCK : rows;
        memset(part, 0, 4 * (size_t)C);
        for (int64_t i = from; i < to; i++) {
            const float *a = x + i * C, *b = y + i * C;
            if (y)
                EACH(j, C) part[j] += a[j] * b[j];
            else
                EACH(j, C) part[j] += a[j];
        }
        EACH(j, C) total[j] += part[j];
    }
}

#endif
