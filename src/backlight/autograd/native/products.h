/* Products of matrices: small ones here, large ones by the BLAS that NumPy has brought. */

#ifndef BACKLIGHT_PRODUCTS_H
#define BACKLIGHT_PRODUCTS_H

#include "vectors.h"

#if LANES == 16
#define TILE_ROWS 8
#else
#define TILE_ROWS 6
#endif

/* A matrix in memory: element (i, j) stands at at[i * row + j * column]. */
typedef struct {
    const float *at;
    int64_t row, column;
} matrix;

/* Which terms of a product are there at all, where a mask of attention leaves half of a square out. */
typedef enum {
    WHOLE,
    COLUMNS_FROM_ROW, /* c[i][j] is needed for j >= i only */
    SUM_UP_TO_ROW,    /* a[i][k] is 0 for k > i */
    SUM_FROM_ROW      /* a[i][k] is 0 for k < i */
} extent;

/* A tile of c, `rows` x (vectors LANES), held in registers while the sum runs from k = first to last. */
INLINE void tile(const int rows, const int vectors, int64_t first, int64_t last, matrix a, const float *panel,
                 float *c, int64_t c_row, int64_t columns, int add) {
    vec held[TILE_ROWS][2];
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) held[i][v] = all(0);
    for (int64_t k = first; k < last; k++) {
        const float *b = panel + k * vectors * LANES, *a_k = a.at + k * a.column;
        for (int i = 0; i < rows; i++) {
            vec a_ik = all(a_k[i * a.row]);
            for (int v = 0; v < vectors; v++) held[i][v] += a_ik * load(b + v * LANES);
        }
    }
    for (int i = 0; i < rows; i++, c += c_row)
        for (int v = 0; v < vectors; v++) {
            float *at = c + v * LANES;
            int64_t left = columns - v * LANES;
            if (left >= LANES)
                put(at, held[i][v], add);
            else if (left > 0)
                put_some(at, held[i][v], left, add);
        }
}

#define TILE(rows) \
    case rows: \
        if (vectors == 1) \
            tile(rows, 1, first, last, a, panel, c, c_row, columns, add); \
        else \
            tile(rows, 2, first, last, a, panel, c, c_row, columns, add); \
        break;

static void any_tile(int64_t rows, int vectors, int64_t first, int64_t last, matrix a, const float *panel, float *c,
                     int64_t c_row, int64_t columns, int add) {
    switch (rows) {
        TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if TILE_ROWS == 8
        TILE(7) TILE(8)
#endif
    }
}

/* Copy some columns of b side by side, `width` floats for each of `terms` rows, 0 where there are fewer columns. */
static void pack(matrix b, int64_t terms, int64_t columns, int64_t width, float *panel) {
    if (b.column == 1) {
        for (int64_t k = 0; k < terms; k++, panel += width) {
            memcpy(panel, b.at + k * b.row, 4 * (size_t)columns);
            for (int64_t j = columns; j < width; j++) panel[j] = 0;
        }
        return;
    }
    if (columns < width) memset(panel, 0, 4 * (size_t)(terms * width));
    for (int64_t k = 0; k < terms; k += 16) /* a square at a time, so that both sides stay in the cache */
        for (int64_t j = 0; j < columns; j++)
            for (int64_t l = k; l < k + 16 && l < terms; l++) panel[l * width + j] = b.at[l * b.row + j * b.column];
}

/* c (rows x columns) = a b, or c += a b; `panel` has room for terms x 2 LANES numbers. */
static __attribute__((noinline)) void multiply_here(int64_t rows, int64_t columns, int64_t terms, matrix a, matrix b, float *c, int64_t c_row,
                          int add, extent part, float *panel) {
    for (int64_t j = 0; j < columns;) {
        int vectors = columns - j <= LANES ? 1 : 2;
        int64_t width = vectors * LANES, some = columns - j < width ? columns - j : width;
        pack((matrix){b.at + j * b.column, b.row, b.column}, terms, some, width, panel);
        for (int64_t i = 0; i < rows; i += TILE_ROWS) {
            int64_t high = rows - i < TILE_ROWS ? rows - i : TILE_ROWS;
            int64_t first = part == SUM_FROM_ROW ? i : 0;
            int64_t last = part == SUM_UP_TO_ROW && i + high < terms ? i + high : terms;
            if (part == COLUMNS_FROM_ROW && j + some <= i) break;
            any_tile(high, vectors, first, last, (matrix){a.at + i * a.row, a.row, a.column}, panel, c + i * c_row + j,
                     c_row, some, add);
        }
        j += some;
    }
}

/* cblas_sgemm, with whole numbers of 64 bits or of 32 */
typedef void (*wide_sgemm)(int, int, int, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *,
                           int64_t, float, float *, int64_t);
typedef void (*narrow_sgemm)(int, int, int, int32_t, int32_t, int32_t, float, const float *, int32_t, const float *,
                             int32_t, float, float *, int32_t);

static void *blas;      /* none: all products are made here */
static int blas_wide;
static int64_t blas_from; /* multiplications from which on BLAS is the faster one */

/* c (rows x columns) = a b or c += a b, of matrices whose rows or whose columns lie side by side. */
static void multiply(int64_t rows, int64_t columns, int64_t terms, matrix a, matrix b, float *c, int add,
                     float *panel) {
    if (!blas || rows * columns * terms < blas_from) {
        multiply_here(rows, columns, terms, a, b, c, columns, add, WHOLE, panel);
        return;
    }
    const int by_rows = 101, as_it_is = 111, transposed = 112;
    int a_way = a.column == 1 ? as_it_is : transposed, b_way = b.column == 1 ? as_it_is : transposed;
    int64_t a_step = a.column == 1 ? a.row : a.column, b_step = b.column == 1 ? b.row : b.column;
    int64_t a_least = a.column == 1 ? terms : rows, b_least = b.column == 1 ? columns : terms;
    if (a_step < a_least) a_step = a_least; /* of a single row the step means nothing, but BLAS looks at it */
    if (b_step < b_least) b_step = b_least;
    if (blas_wide)
        ((wide_sgemm)blas)(by_rows, a_way, b_way, rows, columns, terms, 1, a.at, a_step, b.at, b_step, (float)add, c,
                           columns);
    else
        ((narrow_sgemm)blas)(by_rows, a_way, b_way, (int32_t)rows, (int32_t)columns, (int32_t)terms, 1, a.at,
                             (int32_t)a_step, b.at, (int32_t)b_step, (float)add, c, (int32_t)columns);
}

#endif
