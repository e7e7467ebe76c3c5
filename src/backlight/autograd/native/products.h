/* Matrix products: by these kernels, or by NumPy's BLAS where that is faster. */

#ifndef BACKLIGHT_PRODUCTS_H
#define BACKLIGHT_PRODUCTS_H

#include "sharing.h"

#if LANES == 16
#define TILE_ROWS 12 /* uses 24 of 32 registers for sums */
#else
#define TILE_ROWS 6 /* uses 12 of 16 registers */
#endif

#define EACH(i, count) for (int64_t i = 0; i < (count); i++)

INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* A matrix in memory: element (i, j) is at[i * row + j * column]. */
typedef struct {
    const float *at;
    int64_t row, column;
} matrix;

/* The part of a product that is needed: the causal mask of attention excludes half of a square. */
typedef enum {
    WHOLE,
    COLUMNS_FROM_ROW, /* c[i][j] is needed only for j >= i */
    SUM_UP_TO_ROW,    /* a[i][k] is 0 for k > i */
    SUM_FROM_ROW      /* a[i][k] is 0 for k < i */
} extent;

/* A tile of c, `rows` x (vectors LANES), held in registers while the sum runs over some terms. Row k of b begins at
   b[k * b_row]. */
INLINE void tile(const int rows, const int vectors, int64_t terms, matrix a, const float *b, int64_t b_row, float *c,
                 int64_t c_row, int64_t columns, int add) {
    vec held[TILE_ROWS][2];
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) held[i][v] = all(0);
    for (int64_t k = 0; k < terms; k++, b += b_row) {
        const float *a_k = a.at + k * a.column;
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
            tile(rows, 1, terms, a, b, b_row, c, c_row, columns, add); \
        else \
            tile(rows, 2, terms, a, b, b_row, c, c_row, columns, add); \
        break;

static void any_tile(int64_t rows, int vectors, int64_t terms, matrix a, const float *b, int64_t b_row, float *c,
                     int64_t c_row, int64_t columns, int add) {
    switch (rows) {
        TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if TILE_ROWS > 6
        TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#endif
    }
}

/* Transpose a square of LANES rows by exchanging neighbours, then pairs, then groups of four, and so on. */
INLINE void transpose(const float *from, int64_t from_row, float *to, int64_t to_row) {
#if defined(__clang__)
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < LANES; j++) to[j * to_row + i] = from[i * from_row + j];
#else
    vec rows[LANES];
    for (int i = 0; i < LANES; i++) rows[i] = load(from + i * from_row);
    for (int apart = 1; apart < LANES; apart *= 2) {
        ivec upper, lower;
        for (int lane = 0; lane < LANES; lane++) {
            upper[lane] = lane & apart ? LANES + lane - apart : lane;
            lower[lane] = lane & apart ? LANES + lane : lane + apart;
        }
        for (int i = 0; i < LANES; i++)
            if (!(i & apart)) {
                vec first = rows[i], second = rows[i + apart];
                rows[i] = __builtin_shuffle(first, second, upper);
                rows[i + apart] = __builtin_shuffle(first, second, lower);
            }
    }
    for (int i = 0; i < LANES; i++) store(to + i * to_row, rows[i]);
#endif
}

/* Copy some columns of b contiguously: `width` floats for each of `terms` rows, padded with 0. */
static void pack(matrix b, int64_t terms, int64_t columns, int64_t width, float *panel) {
    if (columns < width) memset(panel, 0, 4 * (size_t)(terms * width));
    if (b.column == 1) {
        for (int64_t k = 0; k < terms; k++) {
            const float *row = b.at + k * b.row;
            if (columns == width)
                for (int64_t j = 0; j < width; j += LANES) store(panel + k * width + j, load(row + j));
            else
                memcpy(panel + k * width, row, 4 * (size_t)columns);
        }
        return;
    }
    for (int64_t k = 0; k < terms; k += LANES) /* one square at a time, so that both arrays stay in the cache */
        for (int64_t j = 0; j < columns; j += LANES) {
            const float *from = b.at + k * b.row + j * b.column;
            int64_t high = terms - k < LANES ? terms - k : LANES, wide = columns - j < LANES ? columns - j : LANES;
            if (high == LANES && wide == LANES && b.row == 1)
                transpose(from, b.column, panel + k * width + j, width);
            else
                for (int64_t l = 0; l < high; l++)
                    for (int64_t i = 0; i < wide; i++) panel[(k + l) * width + j + i] = from[l * b.row + i * b.column];
        }
}

#define TERMS 192 /* of a sum taken at a time: what is packed then stays in the first cache */
#define FEW 144   /* rows below which packing costs more than it gains, where b's rows can be read as they are */
#define TURNED 64 /* rows up to which it does where b lies on its side */

/* c (rows x columns) = a b, or c += a b; `panel` has room for TERMS x 2 LANES numbers. */
static __attribute__((noinline)) void multiply_here(int64_t rows, int64_t columns, int64_t terms, matrix a, matrix b,
                                                    float *c, int64_t c_row, int add, extent part, float *panel) {
    for (int64_t k = 0; k < terms; k += TERMS, add = 1)
        for (int64_t j = 0; j < columns;) {
            int vectors = columns - j <= LANES ? 1 : 2;
            int64_t some = terms - k < TERMS ? terms - k : TERMS;
            int64_t width = vectors * LANES, wide = columns - j < width ? columns - j : width;
            matrix here = {b.at + k * b.row + j * b.column, b.row, b.column};
            int as_it_is = b.column == 1 && wide == width && rows < FEW;
            const float *from = as_it_is ? here.at : panel;
            int64_t from_row = as_it_is ? b.row : width;
            if (!as_it_is) pack(here, some, wide, width, panel);
            for (int64_t i = 0; i < rows; i += TILE_ROWS) {
                int64_t high = rows - i < TILE_ROWS ? rows - i : TILE_ROWS;
                int64_t first = part == SUM_FROM_ROW && i > k ? i - k : 0;
                int64_t last = part == SUM_UP_TO_ROW && i + high < k + some ? i + high - k : some;
                if (part == COLUMNS_FROM_ROW && j + wide <= i) break;
                if (first > some) first = some;
                if (last < first) last = first;
                matrix of_a = {a.at + i * a.row + (k + first) * a.column, a.row, a.column};
                any_tile(high, vectors, last - first, of_a, from + first * from_row, from_row, c + i * c_row + j, c_row,
                         wide, add);
            }
            j += wide;
        }
}

/* The same for a transposed b and an a with few rows, such as the gradient of a minibatch times the transposed weights.
   Packing all of b would take up to a third of the time of the product. So the transpose of the product is computed, in
   which b is the left factor and needs no packing, and each square of the result is transposed. */
static __attribute__((noinline)) void multiply_turned(int64_t rows, int64_t columns, int64_t terms, matrix a, matrix b,
                                                      float *c, int64_t c_row, int add, float *panel) {
    float strip[LANES * 2 * LANES], square[LANES * LANES];
    for (int64_t k = 0; k < terms; k += TERMS, add = 1)
        for (int64_t i = 0; i < rows; i += 2 * LANES) {
            int64_t some = terms - k < TERMS ? terms - k : TERMS, high = rows - i < 2 * LANES ? rows - i : 2 * LANES;
            int vectors = high <= LANES ? 1 : 2;
            int64_t width = vectors * LANES, few = LANES / 2;
            pack((matrix){a.at + i * a.row + k * a.column, a.column, a.row}, some, high, width, panel);
            for (int64_t j = 0; j < columns; j += LANES) {
                int64_t wide = columns - j < LANES ? columns - j : LANES;
                for (int64_t l = 0; l < wide; l += few) {
                    matrix left = {b.at + k * b.row + (j + l) * b.column, b.column, b.row};
                    any_tile(wide - l < few ? wide - l : few, vectors, some, left, panel, width, strip + l * width,
                             width, width, 0);
                }
                for (int64_t l = 0; l < high; l++) {
                    if (l % LANES == 0) transpose(strip + l, width, square, LANES);
                    float *at = c + (i + l) * c_row + j;
                    if (wide == LANES)
                        put(at, load(square + l % LANES * LANES), add);
                    else
                        put_some(at, load(square + l % LANES * LANES), wide, add);
                }
            }
        }
}

/* cblas_sgemm, with integers of 64 or of 32 bits */
typedef void (*wide_sgemm)(int, int, int, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *,
                           int64_t, float, float *, int64_t);
typedef void (*narrow_sgemm)(int, int, int, int32_t, int32_t, int32_t, float, const float *, int32_t, const float *,
                             int32_t, float, float *, int32_t);

static void *blas; /* NULL if all products are computed here */
static int blas_wide;

/* BLAS is faster for small products, of up to this many multiplications (measured, docs/log.md). */
#define SMALL 1000000
#define SMALL_TRANSPOSED 300000

#define ARRANGED 8

#define PANEL (TERMS * 2 * LANES)

/* c (rows x columns) = a b or c += a b, for matrices with contiguous rows or contiguous columns. */
typedef struct {
    int64_t rows, columns, terms;
    matrix a, b;
    float *c;
    int64_t c_row;
    int add;
} product;

static void product_by_blas(const product *p) {
    const int by_rows = 101, as_it_is = 111, transposed = 112;
    int a_way = p->a.column == 1 ? as_it_is : transposed, b_way = p->b.column == 1 ? as_it_is : transposed;
    int64_t a_step = p->a.column == 1 ? p->a.row : p->a.column, b_step = p->b.column == 1 ? p->b.row : p->b.column;
    int64_t a_least = p->a.column == 1 ? p->terms : p->rows, b_least = p->b.column == 1 ? p->columns : p->terms;
    if (a_step < a_least) a_step = a_least; /* the stride of a single row is not used, but BLAS checks it */
    if (b_step < b_least) b_step = b_least;
    if (blas_wide)
        ((wide_sgemm)blas)(by_rows, a_way, b_way, p->rows, p->columns, p->terms, 1, p->a.at, a_step, p->b.at, b_step,
                           (float)p->add, p->c, p->c_row);
    else
        ((narrow_sgemm)blas)(by_rows, a_way, b_way, (int32_t)p->rows, (int32_t)p->columns, (int32_t)p->terms, 1, p->a.at,
                             (int32_t)a_step, p->b.at, (int32_t)b_step, (float)p->add, p->c, (int32_t)p->c_row);
}

/* Whether BLAS computes a product. This depends on its size alone, and BLAS always computes it as a whole, so that results do
   not depend on the number of threads. The products of this file may be divided: each number is the same sum in any block. */
static int for_blas(const product *p) {
    int64_t size = p->rows * p->columns * p->terms;
    return blas && size < (p->b.column == 1 ? SMALL : SMALL_TRANSPOSED);
}

/* A block of a product, which one thread computes. */
typedef struct {
    const product *of;
    int64_t row, rows, column, columns;
} block;

static void compute_block(const block *k) {
    const product *p = k->of;
    _Alignas(64) float panel[PANEL]; /* unaligned, each second load would cross two cache lines */
    float *c = p->c + k->row * p->c_row + k->column;
    matrix a = {p->a.at + k->row * p->a.row, p->a.row, p->a.column};
    matrix b = {p->b.at + k->column * p->b.column, p->b.row, p->b.column};
    if (!p->terms && !p->add) EACH(i, k->rows) memset(c + i * p->c_row, 0, 4 * (size_t)k->columns);
    if (!p->terms || !k->rows || !k->columns) return;
    if (for_blas(p))
        product_by_blas(p);
    else if (b.column != 1 && p->rows <= TURNED)
        multiply_turned(k->rows, k->columns, p->terms, a, b, c, p->c_row, p->add, panel);
    else
        multiply_here(k->rows, k->columns, p->terms, a, b, c, p->c_row, p->add, WHOLE, panel);
}

/* The time of a product whose rows or columns are divided in units, relative to one that is divided evenly. */
INLINE double unevenness(int64_t size, int64_t unit, int64_t parts) {
    int64_t units = (size + unit - 1) / unit, most = (units + parts - 1) / parts * parts * unit;
    return (double)most / (double)size;
}

/* Divide a product into blocks, one for each thread if it is large enough; returns their number. If rows are divided, each
   thread arranges all of b, which takes as long as some ARRANGED rows. */
static int64_t blocks_of(const product *p, block *blocks) {
    int64_t parts = for_blas(p) ? 1 : parts_of((double)p->rows * (double)p->columns * (double)p->terms / MULTIPLICATIONS);
    if (parts == 1 || !p->rows || !p->columns) {
        blocks[0] = (block){p, 0, p->rows, 0, p->columns};
        return 1;
    }
    double arranging = (double)(ARRANGED * (parts - 1)) / (double)p->rows;
    int by_rows = unevenness(p->rows, TILE_ROWS, parts) + arranging < unevenness(p->columns, 2 * LANES, parts);
    int64_t unit = by_rows ? TILE_ROWS : 2 * LANES, size = by_rows ? p->rows : p->columns;
    int64_t units = (size + unit - 1) / unit;
    parts = least(parts, units);
    for (int64_t part = 0; part < parts; part++) {
        int64_t from = units * part / parts * unit, to = least(units * (part + 1) / parts * unit, size);
        blocks[part] = by_rows ? (block){p, from, to - from, 0, p->columns} : (block){p, 0, p->rows, from, to - from};
    }
    return parts;
}

#endif
