/* Moments, histograms and live units of many arrays, for whoever watches a network: backlight/measuring/numbers.py says
   what each entry of a request is. Each array is read three times while it is in the cache. */

#ifndef BACKLIGHT_MEASURE_H
#define BACKLIGHT_MEASURE_H

#include "vectors.h"

#include <stdlib.h>

#define BINS 48
#define BLOCK 4096 /* sums of so many are taken in float32, and added up in float64 */
#define FAINT 1e-8f /* what Adam's usual epsilon damps */
#define TABLES 4   /* neighbours are often in one bin, and would wait for each other in one table */

enum { NEITHER, ONE_SIDED, BOUNDED };

typedef struct {
    const float *x, *less; /* measured is x, or x - less */
    int64_t size, units, inner, side, wants_bins;
    float centre, reach; /* BOUNDED: an x further than `reach` from `centre` is saturated */
    uint8_t *alive;
    double low, high; /* the histogram's range; low = high where the root mean square is to decide */
    double mean, std, rms, least, most, across;
    int64_t nonfinite, beyond, faint;
    int64_t bins[BINS];
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

/* The sum, the extremes, what is faint, and whether all is finite: only then is x - x = 0. */
static int sums(request *r, double *total) {
    int64_t i = 0, n = r->size;
    vec least = all(at(r, 0)), most = least;
    ivec strange = {0}, faint = {0};
    *total = 0;
    while (i + LANES <= n) {
        vec sum_of_block = {0};
        for (int64_t end = i + BLOCK < n ? i + BLOCK : n; i + LANES <= end; i += LANES) {
            vec x = lanes_at(r, i);
            sum_of_block += x;
            strange |= (x - x) != (vec){0};
            faint -= (x < all(FAINT)) & (x > all(-FAINT)) & (x != (vec){0}); /* yes is -1 */
            least = choose(x < least, x, least);
            most = larger(x, most);
        }
        *total += sum(sum_of_block);
    }
    int some = 0;
    for (int lane = 0; lane < LANES; lane++) {
        some |= strange[lane] != 0;
        r->faint += faint[lane];
        r->least = lane && r->least < least[lane] ? r->least : least[lane];
        r->most = lane && r->most > most[lane] ? r->most : most[lane];
    }
    for (; i < n; i++) {
        float x = at(r, i);
        *total += x;
        some |= x - x != 0;
        r->faint += x < FAINT && x > -FAINT && x != 0;
        r->least = x < r->least ? x : r->least;
        r->most = x > r->most ? x : r->most;
    }
    return !some;
}

static double squares_about(const request *r, double mean) {
    int64_t i = 0, n = r->size;
    double total = 0;
    float centre = (float)mean;
    while (i + LANES <= n) {
        vec sum_of_block = {0};
        for (int64_t end = i + BLOCK < n ? i + BLOCK : n; i + LANES <= end; i += LANES) {
            vec x = lanes_at(r, i) - centre;
            sum_of_block += x * x;
        }
        total += sum(sum_of_block);
    }
    for (; i < n; i++) {
        float x = at(r, i) - centre;
        total += x * x;
    }
    double off = mean - centre; /* what float32 lost of the mean */
    return total - (double)n * off * off;
}

/* In float64 throughout, for squares or sums that float32 cannot hold. */
static double squares_carefully(const request *r, double *mean) {
    double total = 0, squares = 0;
    for (int64_t i = 0; i < r->size; i++) total += at(r, i);
    *mean = total / (double)r->size;
    for (int64_t i = 0; i < r->size; i++) squares += (at(r, i) - *mean) * (at(r, i) - *mean);
    return squares;
}

static void set_moments(request *r, double total) {
    double n = (double)r->size, squares;
    r->mean = total / n;
    squares = squares_about(r, r->mean);
    if (!(squares < 1e36) || !(total - total == 0) || (squares < 1e-30 && r->most > r->least))
        squares = squares_carefully(r, &r->mean);
    r->std = sqrt(squares > 0 ? squares / n : 0);
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
    for (int64_t i = 0; i < r->size; i += LANES) {
        int64_t count = r->size - i < LANES ? r->size - i : LANES;
        vec x = count == LANES ? lanes_at(r, i) : at_some(r, i, count);
        ivec place = __builtin_convertvector(within(x * scale + shift, 0, BINS - 1), ivec);
        memcpy(places, &place, sizeof places);
        for (int lane = 0; lane < count; lane++) tables[lane % TABLES][places[lane]]++;
        if (i % (1 << 28) == 0)
            for (int t = 0; i && t < TABLES; t++)
                for (int b = 0; b < BINS; b++) r->bins[b] += tables[t][b], tables[t][b] = 0;
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

static double sum_of(const float *x, int64_t n) {
    vec total = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) total += load(x + i);
    return sum(total + load_some(x + i, n - i));
}

static double squares_of(const float *x, int64_t n, double mean) {
    vec total = {0};
    double rest = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        vec apart = load(x + i) - (float)mean;
        total += apart * apart;
    }
    for (; i < n; i++) rest += (x[i] - mean) * (x[i] - mean);
    return sum(total) + rest;
}

/* The root mean square over units of a unit's standard deviation over all else. Where a unit is one number wide, the
   units are summed side by side, so that the sums do not wait for each other. */
static void set_across(request *r) {
    int64_t units = r->units, inner = r->inner, rows = r->size / units;
    const float *end = r->x + r->size;
    double *mean = calloc((size_t)(2 * units), sizeof *mean), *squares = mean + units, total = 0;
    if (!mean) {
        r->across = NAN;
        return;
    }
    for (const float *x = r->x; x < end; x += units * inner)
        if (inner == 1)
            for (int64_t u = 0; u < units; u++) mean[u] += x[u];
        else
            for (int64_t u = 0; u < units; u++) mean[u] += sum_of(x + u * inner, inner);
    for (int64_t u = 0; u < units; u++) mean[u] /= (double)rows;
    for (const float *x = r->x; x < end; x += units * inner)
        if (inner == 1)
            for (int64_t u = 0; u < units; u++) squares[u] += (x[u] - mean[u]) * (x[u] - mean[u]);
        else
            for (int64_t u = 0; u < units; u++) squares[u] += squares_of(x + u * inner, inner, mean[u]);
    for (int64_t u = 0; u < units; u++) total += squares[u];
    r->across = sqrt(total / (double)r->size);
    free(mean);
}

static void measure(request *requests, int64_t count) {
    for (request *r = requests; r < requests + count; r++) {
        double total;
        if (!sums(r, &total)) {
            for (int64_t i = 0; i < r->size; i++) r->nonfinite += at(r, i) - at(r, i) != 0;
            r->mean = r->std = r->rms = r->least = r->most = r->across = NAN;
        } else {
            set_moments(r, total);
            set_range(r);
            if (r->wants_bins) set_bins(r);
            if (r->units) set_across(r);
        }
        if (r->side != NEITHER) set_alive(r);
    }
}

#endif
