/* Moments, histograms and live units of many arrays, for `watch`; backlight/watch/numbers.py documents each entry. Each
   array is read a few times while it is in the cache. */

#ifndef BACKLIGHT_MEASURE_H
#define BACKLIGHT_MEASURE_H

#include "vectors.h"

#define BINS 48
#define BINS_ROOM 64 /* a power of two, so that a byte with its two highest bits cut off is a place in it */
#define STRETCH 4096 /* sums of this many are taken in float32, and added up in float64 */
#define FAINT 1e-8f  /* what Adam's usual epsilon damps */
#define FOLD 65536   /* pairs of so many are counted in 16 bits before they are added up */
#define ROWS 64      /* so many of a unit's numbers are summed in float32 */

typedef uint8_t bytes __attribute__((vector_size(LANES)));

enum { NEITHER, ONE_SIDED, BOUNDED };

/* of a number and none, the second argument */
#if defined(__AVX512F__)
#include <immintrin.h>
INLINE vec lesser(vec a, vec b) { return (vec)_mm512_min_ps((__m512)a, (__m512)b); }
INLINE vec greater(vec a, vec b) { return (vec)_mm512_max_ps((__m512)a, (__m512)b); }
#elif defined(__AVX__)
#include <immintrin.h>
INLINE vec lesser(vec a, vec b) { return (vec)_mm256_min_ps((__m256)a, (__m256)b); }
INLINE vec greater(vec a, vec b) { return (vec)_mm256_max_ps((__m256)a, (__m256)b); }
#else
INLINE vec lesser(vec a, vec b) { return choose(a < b, a, b); }
INLINE vec greater(vec a, vec b) { return choose(a > b, a, b); }
#endif

/* What is wanted of an array: the same in every step. */
typedef struct {
    int64_t size, units, inner, side; /* x is (outer, units, inner) */
    float centre, reach;              /* BOUNDED: an x further than `reach` from `centre` is saturated */
    double low, high;                 /* the histogram's range; low = high where the root mean square is to decide */
    int64_t bins, alive;              /* where its histogram and its units begin among all; -1 for none */
} request;

/* What was found. */
typedef struct {
    double mean, std, rms, least, most, across, low, high;
    int64_t nonfinite, beyond, faint;
} result;

/* One array, or the difference of two, while it is measured. */
typedef struct {
    const request *is;
    const float *x, *less; /* measured is x, or x - less */
    result *to;
} task;

INLINE float at(const task *t, int64_t i) { return t->less ? t->x[i] - t->less[i] : t->x[i]; }

INLINE vec lanes_at(const task *t, int64_t i) {
    vec x = load(t->x + i);
    if (t->less) x -= load(t->less + i);
    return x;
}

/* What one pass over an array finds, about a number near its mean. */
typedef struct {
    double sum, squares; /* of x - shift */
    float shift;
} pass;

/* Everything but the histogram. Of numbers that are not finite, the sums are not finite either. */
INLINE pass read_as(const task *t, int differs) {
    result *to = t->to;
    int64_t i = 0, n = t->is->size;
    pass found = {.shift = at(t, 0)};
    const float *from = t->x, *less = t->less;
    vec shift = all(found.shift), least = shift, most = shift;
    ivec faint = {0};
    while (i + LANES <= n) {
        vec total = {0}, squares = {0};
        for (int64_t end = i + STRETCH < n ? i + STRETCH : n; i + LANES <= end; i += LANES) {
            vec x = load(from + i);
            if (differs) x -= load(less + i);
            vec apart = x - shift;
            total += apart;
            squares += apart * apart;
            least = lesser(least, x);
            most = greater(most, x);
            if (!differs) faint -= (x < all(FAINT)) & (x > all(-FAINT)) & (x != (vec){0}); /* yes is -1 */
        }
        found.sum += sum(total);
        found.squares += sum(squares);
    }
    to->least = to->most = found.shift;
    for (int lane = 0; lane < LANES; lane++) {
        to->faint += faint[lane];
        to->least = least[lane] < to->least ? least[lane] : to->least;
        to->most = most[lane] > to->most ? most[lane] : to->most;
    }
    for (; i < n; i++) {
        float x = at(t, i), apart = x - found.shift;
        found.sum += apart;
        found.squares += apart * apart;
        to->faint += !differs && x < FAINT && x > -FAINT && x != 0;
        to->least = x < to->least ? x : to->least;
        to->most = x > to->most ? x : to->most;
    }
    return found;
}

static pass read_through(const task *t) { return t->less ? read_as(t, 1) : read_as(t, 0); }

static int64_t count_nonfinite(const task *t) {
    int64_t found = 0;
    for (int64_t i = 0; i < t->is->size; i++) found += at(t, i) - at(t, i) != 0; /* only of what is finite is x - x = 0 */
    return found;
}

/* In float64 and in two passes, for what float32 or a bad shift would spoil. */
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
    /* far from the mean, the difference loses digits; so do squares beyond what float32 holds */
    int varies = to->most > to->least;
    int spoilt = !(found.squares < 1e36) || (found.squares < 1e-30 && varies) || squares * 64 < found.squares;
    if (spoilt && varies) squares = squares_carefully(t, &to->mean);
    to->std = varies ? sqrt(squares > 0 ? squares / n : 0) : 0;
    to->rms = hypot(to->mean, to->std);
}

/* -2^k..2^k with the smallest k for which it holds four root mean squares, as far as float32 can scale by it. */
static void set_range(const task *t) {
    result *to = t->to;
    to->low = t->is->low;
    to->high = t->is->high;
    if (to->low < to->high) return;
    double k = to->rms > 0 ? ceil(log2(4 * to->rms)) : 0;
    to->high = exp2(k < -100 ? -100 : k > 126 ? 126 : k);
    to->low = -to->high;
}

/* The bins of up to STRETCH numbers, a byte each. */
static void find_bins(const task *t, int64_t begin, int64_t n, uint8_t *places) {
    float scale = (float)(BINS / (t->to->high - t->to->low)), shift = -(float)(t->to->low * scale);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        vec place = greater(lanes_at(t, begin + i) * scale + shift, (vec){0});
        bytes some = __builtin_convertvector(__builtin_convertvector(lesser(place, all(BINS - 1)), ivec), bytes);
        memcpy(places + i, &some, LANES);
    }
    for (; i < n; i++) {
        float place = at(t, begin + i) * scale + shift;
        places[i] = (uint8_t)(place < 0 ? 0 : place > BINS - 1 ? BINS - 1 : place);
    }
}

/* Two neighbours are counted at once, as one of the pairs that there can be. */
static void set_bins(const task *t, int32_t *bins) {
    uint8_t places[STRETCH];
    uint16_t pairs[BINS][BINS_ROOM], both[STRETCH / 2], second[BINS_ROOM];
    for (int64_t end, begin = 0; begin < t->is->size; begin = end) {
        end = begin + FOLD < t->is->size ? begin + FOLD : t->is->size;
        memset(pairs, 0, sizeof pairs);
        for (int64_t from = begin; from < end; from += STRETCH) {
            int64_t n = end - from < STRETCH ? end - from : STRETCH;
            find_bins(t, from, n, places);
            if (n % 2) bins[places[n - 1]]++;
            for (int64_t i = 0; i < n / 2; i++) both[i] = (uint16_t)(places[2 * i] * BINS_ROOM + places[2 * i + 1]);
            for (int64_t i = 0; i < n / 2; i++) (*pairs)[both[i]]++;
        }
        memset(second, 0, sizeof second);
        for (int first = 0; first < BINS; first++) {
            uint16_t together = 0;
            for (int b = 0; b < BINS_ROOM; b++) {
                together += pairs[first][b];
                second[b] += pairs[first][b];
            }
            bins[first] += together;
        }
        for (int b = 0; b < BINS; b++) bins[b] += second[b];
    }
}

/* What is found of some units: x is (outer, units, inner). */
typedef struct {
    double squares; /* of the distances from each one's mean, added up */
    int64_t living;
} found_units;

INLINE void add_unit(found_units *to, double sum, double squares, double n) {
    double own = squares - sum * sum / n;
    to->squares += own > 0 ? own : 0;
}

INLINE int lives(const request *r, int side, float x) {
    return side == ONE_SIDED ? x > 0 : fabsf(x - r->centre) <= r->reach;
}

/* LANES units side by side, about the first numbers of each; the first `known` of them were taken before. */
INLINE void take_units(const task *t, int side, int64_t u, int known, found_units *to, uint8_t *alive) {
    const request *r = t->is;
    const float *x = t->x + u, *end = t->x + r->size;
    vec first = load(x), centre = all(r->centre), reach = all(r->reach);
    double sums[LANES] = {0}, squares[LANES] = {0};
    ivec living = {0};
    while (x < end) {
        vec sum_here = {0}, squares_here = {0};
        for (int row = 0; row < ROWS && x < end; row++, x += r->units) {
            vec one = load(x), apart = one - first;
            sum_here += apart;
            squares_here += apart * apart;
            if (side == ONE_SIDED) living -= one > (vec){0}; /* yes is -1 */
            if (side == BOUNDED) living -= (one - centre <= reach) & (one - centre >= -reach);
        }
        for (int lane = 0; lane < LANES; lane++) sums[lane] += sum_here[lane], squares[lane] += squares_here[lane];
    }
    for (int lane = known; lane < LANES; lane++) {
        add_unit(to, sums[lane], squares[lane], (double)(r->size / r->units));
        if (side != NEITHER) alive[u + lane] = living[lane] > 0;
        to->living += living[lane];
    }
}

/* One unit, whose neighbours in x are its own. */
INLINE void take_unit(const task *t, int side, int64_t u, found_units *to, uint8_t *alive) {
    const request *r = t->is;
    float first = t->x[u * r->inner];
    double total = 0, squares = 0;
    int64_t living = 0;
    for (int64_t row = u * r->inner; row < r->size; row += r->units * r->inner) {
        const float *x = t->x + row;
        vec sum_here = {0}, squares_here = {0};
        int64_t i = 0;
        for (; i + LANES <= r->inner; i += LANES) {
            vec apart = load(x + i) - first;
            sum_here += apart;
            squares_here += apart * apart;
        }
        total += sum(sum_here);
        squares += sum(squares_here);
        for (; i < r->inner; i++) {
            double apart = (double)x[i] - first;
            total += apart;
            squares += apart * apart;
        }
        if (side != NEITHER)
            for (i = 0; i < r->inner; i++) living += lives(r, side, x[i]);
    }
    add_unit(to, total, squares, (double)(r->size / r->units));
    if (side != NEITHER) alive[u] = living > 0;
    to->living += living;
}

INLINE found_units take_all(const task *t, int side, uint8_t *alive) {
    int64_t u = 0, units = t->is->units;
    found_units found = {0};
    if (t->is->inner == 1 && units >= LANES) {
        for (; u + LANES <= units; u += LANES) take_units(t, side, u, 0, &found, alive);
        if (u < units) take_units(t, side, units - LANES, (int)(u + LANES - units), &found, alive);
    } else
        for (; u < units; u++) take_unit(t, side, u, &found, alive);
    return found;
}

/* The root mean square over units of a unit's standard deviation over all else, and which units are alive. */
static void set_units(const task *t, uint8_t *alive) {
    found_units found = t->is->side == ONE_SIDED ? take_all(t, ONE_SIDED, alive)
                        : t->is->side == BOUNDED ? take_all(t, BOUNDED, alive)
                                                 : take_all(t, NEITHER, alive);
    t->to->across = sqrt(found.squares / (double)t->is->size);
    if (t->is->side != NEITHER) t->to->beyond = t->is->size - found.living;
}

/* Measures arrays, or differences where `less` is not NULL, and copies the first `copied` of them. An
   array that is NULL is left out. Returns how many of them hold a number that is not finite. `results` and `bins` are 0 before. */
static int64_t measure(const request *requests, int64_t count, const float *const *x, const float *const *less,
                       float *const *copies, int64_t copied, result *results, int32_t *bins, uint8_t *alive) {
    int64_t strange = 0;
    for (int64_t k = 0; k < count; k++) {
        const request *r = requests + k;
        task one = {r, x[k], less ? less[k] : NULL, results + k}, *t = &one;
        if (!x[k]) continue;
        if (k < copied) memcpy(copies[k], x[k], 4 * (size_t)r->size);
        pass found = read_through(t);
        if (r->units) set_units(t, alive + (r->alive < 0 ? 0 : r->alive));
        if (found.sum - found.sum != 0 && (t->to->nonfinite = count_nonfinite(t))) {
            strange++;
            t->to->mean = t->to->std = t->to->rms = t->to->least = t->to->most = t->to->across = NAN;
        } else {
            set_moments(t, found);
            set_range(t);
            if (r->bins >= 0) set_bins(t, bins + BINS * r->bins);
        }
    }
    return strange;
}

#endif
