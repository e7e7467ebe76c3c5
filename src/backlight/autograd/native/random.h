/* The random numbers of dropout: those of NumPy's generator PCG64, on several threads.

   PCG64 multiplies a state of 128 bits by a constant and adds another, and makes 64 bits of each state, of which random() takes
   32 for a float32: O'Neill 2014, PCG XSL-RR; numpy/random/src/pcg64. A state that is n steps ahead is computed in log n
   products, so each thread begins where its numbers begin. */

#ifndef BACKLIGHT_RANDOM_H
#define BACKLIGHT_RANDOM_H

#include "step.h"

typedef unsigned __int128 wide;

/* As in `bit_generator.state`: `half` are 32 bits that are left of the last 64, if `has_half`. */
typedef struct {
    uint64_t state[2], increment[2]; /* high, low */
    uint64_t has_half, half;
} pcg64;

#define PCG_FACTOR ((wide)0x2360ED051FC65DA4 << 64 | 0x4385DF649FCCF645)

INLINE wide pcg_joined(const uint64_t *halves) { return (wide)halves[0] << 64 | halves[1]; }

static wide pcg_ahead(wide state, wide increment, uint64_t steps) {
    wide factor = PCG_FACTOR, whole_factor = 1, whole_increment = 0;
    for (; steps; steps >>= 1) {
        if (steps & 1) {
            whole_factor *= factor;
            whole_increment = whole_increment * factor + increment;
        }
        increment *= factor + 1;
        factor *= factor;
    }
    return state * whole_factor + whole_increment;
}

INLINE uint64_t pcg_output(wide state) {
    uint64_t mixed = (uint64_t)(state >> 64) ^ (uint64_t)state;
    unsigned turn = (unsigned)(state >> 122);
    return mixed >> turn | mixed << (-turn & 63);
}

INLINE float pcg_float(uint32_t bits) { return (float)(bits >> 8) * (1.0f / 16777216.0f); }

/* p = the generator, y. Without its half, the generator makes the numbers from .. to - 1 of y, from an even one. */
static void pcg_part(const step *s, int64_t rows, int64_t from, int64_t to, int member) {
    const pcg64 *g = s->p[0];
    wide increment = pcg_joined(g->increment), state = pcg_ahead(pcg_joined(g->state), increment, (uint64_t)from / 2);
    float *y = OUT(1);
    (void)rows, (void)member;
    for (int64_t i = from; i < to; i += 2) {
        state = state * PCG_FACTOR + increment;
        uint64_t bits = pcg_output(state);
        y[i] = pcg_float((uint32_t)bits);
        if (i + 1 < to) y[i + 1] = pcg_float((uint32_t)(bits >> 32));
    }
}

/* Fill y with uniform numbers in 0..1, as random(dtype=float32) does, and move the generator on. */
static void pcg_fill(pcg64 *g, int64_t size, float *y) {
    if (size && g->has_half) {
        *y++ = pcg_float((uint32_t)g->half);
        g->has_half = 0;
        size--;
    }
    if (!size) return;
    step s = {.p = {g, y}};
    share(&s, 0, size, 2, 4 * (double)size, pcg_part);
    wide state = pcg_ahead(pcg_joined(g->state), pcg_joined(g->increment), ((uint64_t)size + 1) / 2);
    g->state[0] = (uint64_t)(state >> 64), g->state[1] = (uint64_t)state;
    g->has_half = size & 1;
    g->half = pcg_output(state) >> 32; /* NumPy keeps it when it is used, too */
}

#endif
