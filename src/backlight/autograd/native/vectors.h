/* Vectors of LANES float32 numbers, and their exponential functions. Compiled once for each instruction set. */

#ifndef BACKLIGHT_VECTORS_H
#define BACKLIGHT_VECTORS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif

/* aligned(4), since rows of any length need not be aligned */
typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vec all(float x) { return x - (vec){0}; }
INLINE vec load(const float *p) { return *(const vec *)p; }
INLINE void store(float *p, vec x) { *(vec *)p = x; }

/* The last numbers of a row, fewer than LANES; the others are 0. */
INLINE vec load_some(const float *p, int64_t count) {
    vec x = {0};
    memcpy(&x, p, 4 * (size_t)count);
    return x;
}
INLINE void store_some(float *p, vec x, int64_t count) { memcpy(p, &x, 4 * (size_t)count); }

/* Store a result, or add it to the stored numbers. */
INLINE void put(float *p, vec x, int add) {
    if (add) x += load(p);
    store(p, x);
}
INLINE void put_some(float *p, vec x, int64_t count, int add) {
    if (add) x += load_some(p, count);
    store_some(p, x, count);
}

INLINE vec choose(ivec mask, vec yes, vec no) { return (vec)(((ivec)yes & mask) | ((ivec)no & ~mask)); }
INLINE vec larger(vec a, vec b) { return choose(a > b, a, b); }

/* Clip x; nan stays nan, so that a loss of nan is noticed. */
INLINE vec within(vec x, float least, float most) {
    x = choose(x < all(least), all(least), x);
    return choose(x > all(most), all(most), x);
}

INLINE float sum(vec x) {
    float total = 0;
    for (int i = 0; i < LANES; i++) total += x[i];
    return total;
}

/* e^x = power (1 + series), where x = n ln 2 + r, |r| <= ln 2 / 2, power = 2^n, and `series` is the Taylor series of
   e^r - 1, whose eighth term is below half a unit in the last place. For x in -87..88. */
typedef struct {
    vec power, series;
} exponential;

INLINE exponential exponential_of(vec x) {
    const float rounder = 12582912.0f; /* 1.5 x 2^23: adding it rounds to a whole number */
    vec n = x * 1.44269504f + rounder;
    vec power = (vec)(((ivec)n << 23) + (ivec)all(1.0f));
    n -= rounder;
    vec r = x - n * 0.693145752f; /* ln 2 in two parts; n times the first is exact */
    r -= n * 1.42860682e-6f;
    vec series = all(1.0f / 5040);
    series = series * r + 1.0f / 720;
    series = series * r + 1.0f / 120;
    series = series * r + 1.0f / 24;
    series = series * r + 1.0f / 6;
    series = series * r + 0.5f;
    series = series * (r * r) + r;
    return (exponential){power, series};
}

INLINE vec vexp(vec x) {
    exponential e = exponential_of(within(x, -87.0f, 88.0f));
    return e.power * e.series + e.power;
}

/* (e^2x - 1) / (e^2x + 1), without a difference of nearly equal numbers, so that small x keep all digits. */
INLINE vec vtanh(vec x) {
    exponential e = exponential_of(2.0f * within(x, -9.02f, 9.02f)); /* further out, the nearest float is 1 */
    vec less_1 = e.power * e.series + (e.power - 1.0f);
    return less_1 / (less_1 + 2.0f);
}

INLINE vec sigmoid(vec x) { return 1.0f / (1.0f + vexp(-x)); }

#endif
