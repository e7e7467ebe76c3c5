/* Moments, histograms and live units of many arrays, for `watch`; backlight/watch/numbers.py documents each entry. Each
   array is read a few times while it is in the cache. */

#ifndef BACKLIGHT_MEASURE_H
#define BACKLIGHT_MEASURE_H

#include "vectors.h"

#include <stdlib.h>

#define BINS 48
#define BINS_ROOM 64 /* a power of two, so that a byte without its two highest bits is a valid index */
#define STRETCH 4096 /* sums of this many numbers are computed in float32 and added up in float64 */
#define FAINT 1e-8f  /* Adam's usual epsilon */
#define TABLES 8     /* neighbours are often in the same bin, and would wait for each other in a single table */

enum { NEITHER, ONE_SIDED, BOUNDED };

/* What to measure of an array, the same at every step. */
typedef struct {
    int64_t size, units, inner, side; /* x is (outer, units, inner) */
    float centre, reach;              /* BOUNDED: an x further than `reach` from `centre` is saturated */
    double low, high;                 /* the histogram's range; low = high to derive it from the root mean square */
    int64_t bins, alive;              /* index of its histogram and of its first unit; -1 for none */
} request;

/* The results. */
typedef struct {
    double mean, std, rms, least, most, across, low, high;
    int64_t nonfinite, beyond, faint;
} result;

/* One array, or the difference of two, that is being measured. */
typedef struct {
    const request *is;
    const float *x, *less; /* x, or x - less, is measured */
    result *to;
} task;

INLINE float at(const task *t, int64_t i) { return t->less ? t->x[i] - t->less[i] : t->x[i]; }

INLINE vec lanes_at(const task *t, int64_t i) {
    vec x = load(t->x + i);
    if (t->less) x -= load(t->less + i);
    return x;
}

/* The results of one pass over an array, relative to a number near its mean. */
typedef struct {
    double sum, squares; /* of x - shift */
    float shift;
    int strange;
} pass;

/* Everything but the histogram. x - x is 0 only for finite x. */
static pass read_through(const task *t) {
    result *to = t->to;
    int64_t i = 0, n = t->is->size;
    pass found = {.shift = at(t, 0)};
    vec least = all(found.shift), most = least;
    ivec strange = {0}, faint = {0};
    while (i + LANES <= n) {
        vec total = {0}, squares = {0};
        for (int64_t end = i + STRETCH < n ? i + STRETCH : n; i + LANES <= end; i += LANES) {
            vec x = lanes_at(t, i), apart = x - found.shift;
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
    to->least = to->most = found.shift;
    for (int lane = 0; lane < LANES; lane++) {
        found.strange |= strange[lane] != 0;
        to->faint += faint[lane];
        to->least = least[lane] < to->least ? least[lane] : to->least;
        to->most = most[lane] > to->most ? most[lane] : to->most;
    }
    for (; i < n; i++) {
        float x = at(t, i), apart = x - found.shift;
        found.sum += apart;
        found.squares += apart * apart;
        found.strange |= x - x != 0;
        to->faint += x < FAINT && x > -FAINT && x != 0;
        to->least = x < to->least ? x : to->least;
        to->most = x > to->most ? x : to->most;
    }
    return found;
}

/* The sum of squares in float64 and in two passes, where float32 or a bad shift is too inaccurate. */
static double squares_carefully(const task *t, double *mean) {
    double total = 0, squares = 0;
    int64_t n = t->is->size;
    for (int64_t i = 0; i < n; i++) total += at(t, i);
    *mean = total / (double)n;
    for (int64_t i = 0; i < n; i++) squares += (at(t, i) - *mean) * (at(t, i) - *mean);
    return squares;
}

static void set_moments(const task *t, pass found) {
    result *to = t->to;
    double n = (double)t->is->size, apart = found.sum / n, squares = found.squares - found.sum * apart;
    to->mean = found.shift + apart;
    /* the difference loses digits if the shift is far from the mean, or if the squares overflow or underflow float32 */
    int varies = to->most > to->least;
    int spoilt = !(found.squares < 1e36) || (found.squares < 1e-30 && varies) || squares * 64 < found.squares;
    if (spoilt && varies) squares = squares_carefully(t, &to->mean);
    to->std = varies ? sqrt(squares > 0 ? squares / n : 0) : 0;
    to->rms = hypot(to->mean, to->std);
}

/* The range -2^k..2^k with the smallest k for which it contains four root mean squares, within the range of float32. */
static void set_range(const task *t) {
    result *to = t->to;
    to->low = t->is->low;
    to->high = t->is->high;
    if (to->low < to->high) return;
    double k = to->rms > 0 ? ceil(log2(4 * to->rms)) : 0;
    to->high = exp2(k < -100 ? -100 : k > 126 ? 126 : k);
    to->low = -to->high;
}

/* Bin indices fit into bytes: a block of numbers is converted to bytes, which are counted eight at a time. */
static void set_bins(const task *t, int32_t *bins) {
    int32_t tables[TABLES][BINS_ROOM];
    uint8_t places[STRETCH];
    memset(tables, 0, sizeof tables);
    float scale = (float)(BINS / (t->to->high - t->to->low)), shift = -(float)(t->to->low * scale);
    int64_t most = t->is->size < INT32_MAX ? t->is->size : INT32_MAX;
    for (int64_t begin = 0; begin < most; begin += STRETCH) {
        int64_t n = most - begin < STRETCH ? most - begin : STRETCH, i = 0;
        const float *x = t->x + begin, *less = t->less ? t->less + begin : NULL;
        for (int64_t j = 0; j < n; j++) {
            float place = (less ? x[j] - less[j] : x[j]) * scale + shift;
            place = place < 0 ? 0 : place > BINS - 1 ? BINS - 1 : place;
            places[j] = (uint8_t)(int32_t)place;
        }
        for (; i + 8 <= n; i += 8) {
            uint64_t eight;
            memcpy(&eight, places + i, 8);
            for (int lane = 0; lane < 8; lane++) tables[lane % TABLES][eight >> 8 * lane & (BINS_ROOM - 1)]++;
        }
        for (; i < n; i++) tables[0][places[i]]++;
    }
    for (int table = 0; table < TABLES; table++)
        for (int b = 0; b < BINS; b++) bins[b] += tables[table][b];
}

/* x is (outer, units, inner). The functions below process one row of units after another. */
INLINE int lives(const request *r, float x) {
    return r->side == ONE_SIDED ? x > 0 : fabsf(x - r->centre) <= r->reach;
}

static void set_alive(const task *t, uint8_t *alive) {
    const request *r = t->is;
    int64_t units = r->units, inner = r->inner, living = 0;
    memset(alive, 0, (size_t)units);
    for (int64_t row = 0; row < r->size; row += units * inner)
        if (inner == 1) { /* contiguous units */
            int here = 0;
            for (int64_t u = 0; u < units; u++) {
                int yes = lives(r, at(t, row + u));
                alive[u] |= (uint8_t)yes;
                here += yes;
            }
            living += here;
        } else
            for (int64_t u = 0; u < units; u++) {
                int64_t here = 0;
                for (int64_t i = row + u * inner; i < row + (u + 1) * inner; i++) here += lives(r, at(t, i));
                alive[u] |= here > 0;
                living += here;
            }
    t->to->beyond = r->size - living;
}

/* The sum and the sum of squares of a unit's `inner` numbers of one row, relative to `shift`. */
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

/* The root mean square over the units of their standard deviations over all other axes, in one pass relative to the first
   number of each unit. If a unit has one number per row, all units are summed in parallel, so that sums do not wait for
   each other. */
static void set_across(const task *t) {
    int64_t units = t->is->units, inner = t->is->inner, rows = t->is->size / units;
    const float *first = t->x, *end = t->x + t->is->size;
    double *sums = calloc((size_t)(2 * units), sizeof *sums), total = 0;
    if (!sums) {
        t->to->across = NAN;
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
    t->to->across = sqrt(total / (double)t->is->size);
    free(sums);
}

/* Measure arrays, or differences if `less` is not NULL, and copy them if `copies` is not NULL. Returns the number of arrays
   with a number that is not finite. `results` and `bins` must be 0. */
static int64_t measure(const request *requests, int64_t count, const float *const *x, const float *const *less,
                       float *const *copies, result *results, int32_t *bins, uint8_t *alive) {
    int64_t strange = 0;
    for (int64_t k = 0; k < count; k++) {
        const request *r = requests + k;
        task one = {r, x[k], less ? less[k] : NULL, results + k}, *t = &one;
        if (!r->size) continue;
        if (copies) memcpy(copies[k], x[k], 4 * (size_t)r->size);
        pass found = read_through(t);
        if (found.strange) {
            strange++;
            for (int64_t i = 0; i < r->size; i++) t->to->nonfinite += at(t, i) - at(t, i) != 0;
            t->to->mean = t->to->std = t->to->rms = t->to->least = t->to->most = t->to->across = NAN;
        } else {
            set_moments(t, found);
            set_range(t);
            if (r->bins >= 0) set_bins(t, bins + BINS * r->bins);
            if (r->units) set_across(t);
        }
        if (r->alive >= 0) set_alive(t, alive + r->alive);
    }
    return strange;
}

#endif
