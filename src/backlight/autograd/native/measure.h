/* Moments, histograms and live units of many arrays, for whoever watches a network: backlight/measuring/numbers.py says
   what each entry of a request is. Each array is read a few times while it is in the cache. */

#ifndef BACKLIGHT_MEASURE_H
#define BACKLIGHT_MEASURE_H

#include "vectors.h"

#include <stdlib.h>

#define BINS 48
#define STRETCH 4096 /* sums of so many are taken in float32, and added up in float64 */
#define FAINT 1e-8f /* what Adam's usual epsilon damps */
#define TABLES 4   /* neighbours are often in one bin, and would wait for each other in one table */

enum { NEITHER, ONE_SIDED, BOUNDED };

typedef struct {
    const float *x, *less; /* measured is x, or x - less */
    int64_t size, units, inner, side;
    float centre, reach; /* BOUNDED: an x further than `reach` from `centre` is saturated */
    uint8_t *alive;
    float *copy;   /* where x goes too */
    int32_t *bins; /* (BINS,) zeros, if a histogram is wanted */
    double low, high; /* the histogram's range; low = high where the root mean square is to decide */
    double mean, std, rms, least, most, across;
    int64_t nonfinite, beyond, faint;
} request;

INLINE float at(const request *r, int64_t i) { return r->less ? r->x[i] - r->less[i] : r->x[i]; }

INLINE vec at_some(const request *r, int64_t i, int64_t count) {
    vec x = load_some(r->x + i, count);
    if (r->less) x -= load_some(r->less + i, count);
    return x;
}

INLINE vec lanes_at(const request *r, int64_t i) {
    vec x = load(r->x + i);
    if (r->less) x -= load(r->less + i);
    return x;
}

/* What one pass over an array finds, about a number near its mean. */
typedef struct {
    double sum, squares; /* of x - shift */
    float shift;
    int strange;
} pass;

/* Everything but the histogram. Only of what is finite is x - x = 0. */
static pass read_through(request *r) {
    int64_t i = 0, n = r->size;
    pass found = {.shift = at(r, 0)};
    vec least = all(found.shift), most = least;
    ivec strange = {0}, faint = {0};
    while (i + LANES <= n) {
        vec total = {0}, squares = {0};
        for (int64_t end = i + STRETCH < n ? i + STRETCH : n; i + LANES <= end; i += LANES) {
            vec x = lanes_at(r, i), apart = x - found.shift;
            total += apart;
            squares += apart * apart;
            strange |= (x - x) != (vec){0};
            faint -= (x < all(FAINT)) & (x > all(-FAINT)) & (x != (vec){0}); /* yes is -1 */
            least = choose(x < least, x, least);
            most = larger(x, most);
        }
        found.sum += sum(total);
        found.squares += sum(squares);
    }
    r->least = r->most = found.shift;
    for (int lane = 0; lane < LANES; lane++) {
        found.strange |= strange[lane] != 0;
        r->faint += faint[lane];
        r->least = least[lane] < r->least ? least[lane] : r->least;
        r->most = most[lane] > r->most ? most[lane] : r->most;
    }
    for (; i < n; i++) {
        float x = at(r, i), apart = x - found.shift;
        found.sum += apart;
        found.squares += apart * apart;
        found.strange |= x - x != 0;
        r->faint += x < FAINT && x > -FAINT && x != 0;
        r->least = x < r->least ? x : r->least;
        r->most = x > r->most ? x : r->most;
    }
    return found;
}

/* In float64 and in two passes, for what float32 or a bad shift would spoil. */
static double squares_carefully(const request *r, double *mean) {
    double total = 0, squares = 0;
    for (int64_t i = 0; i < r->size; i++) total += at(r, i);
    *mean = total / (double)r->size;
    for (int64_t i = 0; i < r->size; i++) squares += (at(r, i) - *mean) * (at(r, i) - *mean);
    return squares;
}

static void set_moments(request *r, pass found) {
    double n = (double)r->size, apart = found.sum / n, squares = found.squares - found.sum * apart;
    r->mean = found.shift + apart;
    /* far from the mean, the difference loses digits; so do squares beyond what float32 holds */
    int spoilt = !(found.squares < 1e36) || (found.squares < 1e-30 && r->most > r->least) || squares * 64 < found.squares;
    if (spoilt && r->most > r->least) squares = squares_carefully(r, &r->mean);
    r->std = r->most > r->least ? sqrt(squares > 0 ? squares / n : 0) : 0;
    r->rms = hypot(r->mean, r->std);
}

/* -2^k..2^k with the smallest k for which it holds four root mean squares, as far as float32 can scale by it. */
static void set_range(request *r) {
    if (r->low < r->high) return;
    double k = r->rms > 0 ? ceil(log2(4 * r->rms)) : 0;
    r->high = exp2(k < -100 ? -100 : k > 126 ? 126 : k);
    r->low = -r->high;
}

static void set_bins(request *r) {
    int32_t tables[TABLES][BINS], places[LANES];
    memset(tables, 0, sizeof tables);
    float scale = (float)(BINS / (r->high - r->low)), shift = -(float)(r->low * scale);
    int64_t most = r->size < INT32_MAX ? r->size : INT32_MAX;
    for (int64_t i = 0; i < most; i += LANES) {
        int64_t count = r->size - i < LANES ? r->size - i : LANES;
        vec x = count == LANES ? lanes_at(r, i) : at_some(r, i, count);
        ivec place = __builtin_convertvector(within(x * scale + shift, 0, BINS - 1), ivec);
        memcpy(places, &place, sizeof places);
        for (int lane = 0; lane < count; lane++) tables[lane % TABLES][places[lane]]++;
    }
    for (int t = 0; t < TABLES; t++)
        for (int b = 0; b < BINS; b++) r->bins[b] += tables[t][b];
}

/* x is (outer, units, inner). Each function below takes one row of units after the other. */
static void set_alive(request *r) {
    memset(r->alive, 0, (size_t)r->units);
    for (int64_t i = 0; i < r->size; i += r->inner) {
        uint8_t *alive = r->alive + i / r->inner % r->units;
        for (int64_t j = i; j < i + r->inner; j++) {
            float x = at(r, j);
            int lives = r->side == ONE_SIDED ? x > 0 : fabsf(x - r->centre) <= r->reach;
            *alive |= (uint8_t)lives;
            r->beyond += !lives;
        }
    }
}

/* A unit's numbers of one row, `inner` of them: their sum and squares about `shift`. */
INLINE void add_row(const float *x, int64_t inner, float shift, double *sum_here, double *squares_here) {
    vec some = {0}, squares = {0};
    int64_t j = 0;
    for (; j + LANES <= inner; j += LANES) {
        vec apart = load(x + j) - shift;
        some += apart;
        squares += apart * apart;
    }
    *sum_here += sum(some);
    *squares_here += sum(squares);
    for (; j < inner; j++) {
        double apart = (double)x[j] - shift;
        *sum_here += apart;
        *squares_here += apart * apart;
    }
}

/* The root mean square over units of a unit's standard deviation over all else, in one pass about the first numbers of
   each unit. Where a unit is one number wide, the units are summed side by side, so that the sums do not wait for each
   other. */
static void set_across(request *r) {
    int64_t units = r->units, inner = r->inner, rows = r->size / units;
    const float *first = r->x, *end = r->x + r->size;
    double *sums = calloc((size_t)(2 * units), sizeof *sums), total = 0;
    if (!sums) {
        r->across = NAN;
        return;
    }
    double *restrict sum_of = sums, *restrict squares_of = sums + units;
    if (inner == 1)
        for (const float *x = first; x < end; x += units)
            for (int64_t u = 0; u < units; u++) {
                double apart = (double)x[u] - first[u];
                sum_of[u] += apart;
                squares_of[u] += apart * apart;
            }
    else
        for (const float *x = first; x < end; x += units * inner)
            for (int64_t u = 0; u < units; u++)
                add_row(x + u * inner, inner, first[u * inner], sum_of + u, squares_of + u);
    for (int64_t u = 0; u < units; u++) {
        double own = squares_of[u] - sum_of[u] * sum_of[u] / (double)rows;
        total += own > 0 ? own : 0;
    }
    r->across = sqrt(total / (double)r->size);
    free(sums);
}

static void measure(request *requests, int64_t count) {
    for (request *r = requests; r < requests + count; r++) {
        if (!r->size) continue;
        if (r->copy) memcpy(r->copy, r->x, 4 * (size_t)r->size);
        pass found = read_through(r);
        if (found.strange) {
            for (int64_t i = 0; i < r->size; i++) r->nonfinite += at(r, i) - at(r, i) != 0;
            r->mean = r->std = r->rms = r->least = r->most = r->across = NAN;
        } else {
            set_moments(r, found);
            set_range(r);
            if (r->bins) set_bins(r);
            if (r->units) set_across(r);
        }
        if (r->side != NEITHER) set_alive(r);
    }
}

#endif
