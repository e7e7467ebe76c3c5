/* Products of a vector with a matrix whose numbers are kept in 8 or 16 bits: nn/compact.py says how. Their time is that of
   reading the matrix, so each row is read once, from its beginning to its end, and what follows is fetched ahead.

   The rows of the matrix are padded with 0 to a multiple of 64 numbers. */

#ifndef BACKLIGHT_COMPACT_H
#define BACKLIGHT_COMPACT_H

#include "vectors.h"

#if defined(__AVX__)
#include <immintrin.h>
#endif

enum { INT8, BFLOAT16, FLOAT16 };

#define AHEAD 2048     /* bytes; 1,024 to 8,192 are equally fast */
#define LINE 64        /* bytes of a line of the cache */
#define INT8_TERMS 512 /* 127 x 32,767 x 512 is below 2^31 */
#define LARGEST_INT16 32767

/* LANES numbers as float32. */
#if defined(__AVX512F__)
INLINE vec bfloat16_at(const uint16_t *w) {
    return (vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)w)), 16);
}
INLINE vec float16_at(const uint16_t *w) { return (vec)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)w)); }
#elif defined(__AVX2__) && defined(__F16C__)
INLINE vec bfloat16_at(const uint16_t *w) {
    return (vec)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)w)), 16);
}
INLINE vec float16_at(const uint16_t *w) { return (vec)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)w)); }
#else
typedef uint16_t halves __attribute__((vector_size(2 * LANES), aligned(2), may_alias));
INLINE ivec halves_at(const uint16_t *w) { return __builtin_convertvector(*(const halves *)w, ivec); }
INLINE vec bfloat16_at(const uint16_t *w) { return (vec)(halves_at(w) << 16); }
/* The exponent of a float16 is 112 less than that of a float32; the product also gives the small numbers without a leading 1. */
INLINE vec float16_at(const uint16_t *w) {
    ivec half = halves_at(w);
    vec size = (vec)((half & 0x7fff) << 13) * 0x1p112f;
    return (vec)((ivec)size | (half & 0x8000) << 16);
}
#endif

INLINE float times_16_bits(int kind, const uint16_t *w, const float *x, int64_t padded) {
    vec held[4] = {all(0), all(0), all(0), all(0)};
    for (int64_t i = 0; i < padded; i += 4 * LANES) {
        for (int64_t line = 0; line < 8 * LANES; line += LINE) __builtin_prefetch((const char *)(w + i) + AHEAD + line);
        for (int k = 0; k < 4; k++) {
            const uint16_t *here = w + i + k * LANES;
            held[k] += (kind == FLOAT16 ? float16_at(here) : bfloat16_at(here)) * load(x + i + k * LANES);
        }
    }
    return sum((held[0] + held[1]) + (held[2] + held[3]));
}

/* Compilers turn the inner loop into products of pairs (vpmaddwd, smlal). The sums are exact. */
INLINE float times_int8(const int8_t *w, const int16_t *x, int64_t padded) {
    float total = 0;
    for (int64_t begin = 0; begin < padded; begin += INT8_TERMS) {
        int64_t end = begin + INT8_TERMS < padded ? begin + INT8_TERMS : padded;
        for (int64_t i = begin; i < end; i += LINE) __builtin_prefetch(w + i + AHEAD);
        int32_t exact = 0;
        for (int64_t i = begin; i < end; i++) exact += w[i] * x[i];
        total += (float)exact;
    }
    return total;
}

/* Round x / scale to 16 bits, where the largest becomes 32,767. Returns the scale; nan if x has a nan or an infinity. */
static float to_int16(const float *x, int64_t terms, int64_t padded, int16_t *to) {
    float largest = 0, spoilt = 0;
    for (int64_t i = 0; i < terms; i++) {
        float size = fabsf(x[i]);
        largest = size > largest ? size : largest;
        spoilt += x[i] * 0;
    }
    memset(to, 0, 2 * (size_t)padded);
    if (spoilt != 0) return NAN;
    float scale = largest / LARGEST_INT16;
    if (scale < 1e-37f) return 0; /* all products are as good as 0 */
    for (int64_t i = 0; i < terms; i++) {
        float place = x[i] / scale;
        to[i] = (int16_t)(place + (place < 0 ? -0.5f : 0.5f));
    }
    return scale;
}

INLINE void product_16_bits(int kind, int64_t rows, int64_t padded, const uint16_t *w, const float *x, const float *bias,
                            float *y) {
    for (int64_t o = 0; o < rows; o++, w += padded) y[o] = times_16_bits(kind, w, x, padded) + (bias ? bias[o] : 0);
}

/* y (rows) = W x + bias. `scales` has a number for each row of an INT8 matrix; `bias` may be NULL; `room` has space for
   4 x padded bytes. */
static void compact_product(int64_t kind, int64_t rows, int64_t terms, int64_t padded, const void *w, const float *scales,
                            const float *x, const float *bias, float *y, void *room) {
    if (kind == INT8) {
        const int8_t *row = w;
        float scale = to_int16(x, terms, padded, room);
        for (int64_t o = 0; o < rows; o++, row += padded)
            y[o] = times_int8(row, room, padded) * (scales[o] * scale) + (bias ? bias[o] : 0);
        return;
    }
    memcpy(room, x, 4 * (size_t)terms);
    memset((float *)room + terms, 0, 4 * (size_t)(padded - terms));
    if (kind == BFLOAT16)
        product_16_bits(BFLOAT16, rows, padded, w, room, bias, y);
    else
        product_16_bits(FLOAT16, rows, padded, w, room, bias, y);
}

/* Rows of the matrix as float32, without the padding. */
static void compact_widen(int64_t kind, int64_t rows, int64_t terms, int64_t padded, const void *w, const float *scales,
                          float *to) {
    for (int64_t o = 0; o < rows; o++, to += terms) {
        const int8_t *whole = (const int8_t *)w + o * padded;
        const uint16_t *half = (const uint16_t *)w + o * padded;
        int64_t i = 0;
        if (kind == INT8)
            for (; i < terms; i++) to[i] = whole[i] * scales[o];
        for (; i < terms; i += LANES) {
            vec x = kind == FLOAT16 ? float16_at(half + i) : bfloat16_at(half + i);
            if (terms - i < LANES)
                store_some(to + i, x, terms - i);
            else
                store(to + i, x);
        }
    }
}

#endif
