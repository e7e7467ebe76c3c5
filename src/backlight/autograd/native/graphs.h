/* A recorded graph of single numbers, run for B examples at once: autograd/batching, with float64 numbers.

   Nodes that depend on no input are shared: they have one number for all examples, the others have B. Chains of additions
   become one sum, and products that occur only in a sum become its terms, so their numbers need no memory. */

#pragma once

#include "baseline.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    G_ADD, G_SUB, G_MUL, G_DIV, G_POW, G_POWC, G_NEG, G_EXP, G_LOG, G_TANH, G_RELU, G_SIGMOID, G_SIN, G_COS, G_DOT,
    G_DATA, G_MAX, G_MIN, G_PICK, G_OPS
};

/* The names that the recording uses; a constant power is "**" with its exponent. */
static const char *const GRAPH_OPS[] = {"+",   "-",    "*",    "/",       "**",  "**c", "neg", "exp",  "log", "tanh",
                                        "ReLU", "sigmoid", "sin", "cos", "dot", "data", "max", "min", "pick"};

typedef struct {
    int op;
    int shared;
    int64_t out;           /* its row among the shared nodes or the others */
    int64_t first, count;  /* its operands; of a sum, first the terms that are products, two operands each */
    int64_t products;      /* how many terms of a sum are products */
    double exponent;
    int64_t by;            /* of a pick, the input that chooses */
} piece;

/* An operand is 2 row + 1 for a shared node, 2 row for another. */
typedef struct {
    int64_t leaves, inputs, pieces, outputs, shared_rows, rows, examples;
    piece *steps;
    int64_t *operands, *ends;
    double *shared, *shared_grads; /* (shared_rows,) */
    double *own, *grads;           /* (rows, examples) */
} graph;

static void graph_free(graph *g) {
    if (!g) return;
    free(g->steps), free(g->operands), free(g->ends), free(g->shared), free(g->shared_grads), free(g->own), free(g->grads);
    free(g);
}

/* The terms of a sum while the graph is built. */
typedef struct {
    int64_t count, room, *nodes;
} terms;

static int add_term(terms *t, int64_t node) {
    if (t->count == t->room) {
        int64_t room = t->room ? 2 * t->room : 4, *grown = realloc(t->nodes, room * sizeof *grown);
        if (!grown) return -1;
        t->nodes = grown;
        t->room = room;
    }
    t->nodes[t->count++] = node;
    return 0;
}

typedef struct {
    int64_t all; /* nodes, with leaves and inputs */
    int64_t *first, *uses;
    uint8_t *shared, *merged, *live;
    terms *sums;
} plan;

static void free_plan(plan *p) {
    for (int64_t i = 0; p->sums && i < p->all; i++) free(p->sums[i].nodes);
    free(p->first), free(p->uses), free(p->shared), free(p->merged), free(p->live), free(p->sums);
}

/* Finds the terms of each sum. Returns -1 if there is no memory. */
static int find_sums(plan *p, int64_t given, const uint8_t *ops, const int64_t *counts, const int64_t *parents) {
    for (int64_t i = given; i < p->all; i++) {
        if (!p->live[i] || ops[i - given] != G_ADD) continue;
        terms mine = {0};
        for (int64_t j = p->first[i]; j < p->first[i] + counts[i - given]; j++) {
            int64_t parent = parents[j];
            int joins = p->uses[parent] == 1 && p->shared[parent] == p->shared[i];
            if (joins && p->sums[parent].count) {
                terms other = p->sums[parent], longer = mine.count > other.count ? mine : other;
                terms shorter = mine.count > other.count ? other : mine;
                for (int64_t k = 0; k < shorter.count; k++) {
                    if (add_term(&longer, shorter.nodes[k]) < 0) return -1;
                }
                free(shorter.nodes);
                mine = longer;
                p->sums[parent] = (terms){0};
                p->merged[parent] = 1;
            } else if (add_term(&mine, parent) < 0) {
                return -1;
            }
        }
        p->sums[i] = mine;
    }
    for (int64_t i = given; i < p->all; i++) { /* products that are terms of one sum only */
        for (int64_t k = 0; k < p->sums[i].count; k++) {
            int64_t term = p->sums[i].nodes[k];
            if (term >= given && ops[term - given] == G_MUL && p->uses[term] == 1 && p->shared[term] == p->shared[i]) {
                p->merged[term] = 1;
            }
        }
    }
    return 0;
}

/* Builds a graph: see batching/recording.py for the arguments. Returns NULL if there is no memory. */
static graph *graph_new(int64_t leaves, int64_t inputs, int64_t nodes, const uint8_t *ops, const double *exponents,
                        const int64_t *counts, const int64_t *parents, const int64_t *by, int64_t outputs,
                        const int64_t *ends) {
    int64_t given = leaves + inputs, edges = 0, room = 0;
    graph *g = calloc(1, sizeof *g);
    plan p = {.all = given + nodes};
    p.first = calloc(p.all + 1, sizeof *p.first);
    p.uses = calloc(p.all + 1, sizeof *p.uses);
    p.shared = calloc(p.all + 1, 1);
    p.merged = calloc(p.all + 1, 1);
    p.live = calloc(p.all + 1, 1);
    p.sums = calloc(p.all + 1, sizeof *p.sums);
    int64_t *ref = calloc(p.all + 1, sizeof *ref);
    if (!g || !p.first || !p.uses || !p.shared || !p.merged || !p.live || !p.sums || !ref) goto failed;
    for (int64_t i = given; i < p.all; i++) p.first[i] = edges, edges += counts[i - given];
    for (int64_t i = 0; i < outputs; i++) p.live[ends[i]] = 1, p.uses[ends[i]] += 2;
    for (int64_t i = p.all - 1; i >= given; i--) {
        for (int64_t j = p.first[i]; p.live[i] && j < p.first[i] + counts[i - given]; j++) {
            p.live[parents[j]] = 1;
            p.uses[parents[j]]++;
        }
    }
    memset(p.shared, 1, leaves);
    for (int64_t i = given; i < p.all; i++) {
        p.shared[i] = ops[i - given] != G_PICK;
        for (int64_t j = p.first[i]; j < p.first[i] + counts[i - given]; j++) p.shared[i] &= p.shared[parents[j]];
    }
    if (find_sums(&p, given, ops, counts, parents) < 0) goto failed;
    g->leaves = leaves, g->inputs = inputs, g->outputs = outputs;
    g->shared_rows = leaves, g->rows = inputs;
    for (int64_t i = 0; i < leaves; i++) ref[i] = 2 * i + 1;
    for (int64_t i = 0; i < inputs; i++) ref[leaves + i] = 2 * i;
    g->steps = malloc((nodes + 1) * sizeof *g->steps);
    room = 2 * edges + 1;
    g->operands = malloc(room * sizeof *g->operands);
    g->ends = malloc((outputs + 1) * sizeof *g->ends);
    if (!g->steps || !g->operands || !g->ends) goto failed;
    int64_t filled = 0;
    for (int64_t i = given; i < p.all; i++) {
        if (!p.live[i] || p.merged[i]) continue;
        piece *s = &g->steps[g->pieces++];
        *s = (piece){.op = ops[i - given], .shared = p.shared[i], .first = filled, .exponent = exponents[i - given]};
        s->by = by[i - given];
        s->out = s->shared ? g->shared_rows++ : g->rows++;
        ref[i] = 2 * s->out + s->shared;
        if (p.sums[i].count) {
            const terms *t = &p.sums[i];
            s->op = G_ADD;
            for (int64_t k = 0; k < t->count; k++) {
                if (!p.merged[t->nodes[k]]) continue;
                s->products++;
                for (int64_t j = 0; j < 2; j++) g->operands[filled++] = ref[parents[p.first[t->nodes[k]] + j]];
            }
            for (int64_t k = 0; k < t->count; k++) {
                if (!p.merged[t->nodes[k]]) g->operands[filled++] = ref[t->nodes[k]];
            }
        } else if (s->op == G_DOT) { /* bias, weights, inputs: as a sum of products */
            int64_t n = counts[i - given] / 2;
            const int64_t *own = parents + p.first[i];
            s->op = G_ADD;
            s->products = n;
            for (int64_t k = 0; k < n; k++) g->operands[filled++] = ref[own[1 + k]], g->operands[filled++] = ref[own[1 + n + k]];
            g->operands[filled++] = ref[own[0]];
        } else {
            for (int64_t k = 0; k < counts[i - given]; k++) g->operands[filled++] = ref[parents[p.first[i] + k]];
        }
        s->count = filled - s->first;
    }
    for (int64_t i = 0; i < outputs; i++) g->ends[i] = ref[ends[i]];
    g->shared = malloc((g->shared_rows + 1) * sizeof *g->shared);
    g->shared_grads = malloc((g->shared_rows + 1) * sizeof *g->shared_grads);
    if (!g->shared || !g->shared_grads) goto failed;
    free(ref);
    free_plan(&p);
    return g;
failed:
    free(ref);
    free_plan(&p);
    graph_free(g);
    return NULL;
}

static inline double *values_of(const graph *g, int64_t ref, int64_t B) {
    return ref & 1 ? g->shared + (ref >> 1) : g->own + (ref >> 1) * B;
}

static inline double *grads_of(const graph *g, int64_t ref, int64_t B) {
    return ref & 1 ? g->shared_grads + (ref >> 1) : g->grads + (ref >> 1) * B;
}

/* y += p q, where a shared operand has one number. */
static inline void add_products(double *restrict y, const double *p, int64_t ps, const double *q, int64_t qs, int64_t n) {
    if (ps && qs) {
        for (int64_t b = 0; b < n; b++) y[b] += p[b] * q[b];
    } else if (ps) {
        double w = *q;
        for (int64_t b = 0; b < n; b++) y[b] += p[b] * w;
    } else {
        double w = *p;
        for (int64_t b = 0; b < n; b++) y[b] += w * q[b * qs];
    }
}

/* The gradient of one operand: += above times `by`, summed over the examples if the operand is shared. */
static inline void add_gradient(double *restrict to, int64_t ts, const double *above, const double *by, int64_t bs, int64_t n) {
    if (ts) {
        for (int64_t b = 0; b < n; b++) to[b] += above[b] * by[b * bs];
    } else {
        double sum = 0;
        for (int64_t b = 0; b < n; b++) sum += above[b] * by[b * bs];
        *to += sum;
    }
}

enum { G_FINE, G_DOUBTFUL, G_OUT_OF_RANGE, G_NO_MEMORY };

static inline int forward_piece(const graph *g, const piece *s, int64_t B) {
    const int64_t *of = g->operands + s->first, n = s->shared ? 1 : B;
    double *restrict y = values_of(g, 2 * s->out + s->shared, B);
    if (s->op == G_ADD) {
        for (int64_t b = 0; b < n; b++) y[b] = 0;
        for (int64_t k = 0; k < s->products; k++, of += 2) {
            add_products(y, values_of(g, of[0], B), n > 1 && !(of[0] & 1), values_of(g, of[1], B), n > 1 && !(of[1] & 1), n);
        }
        for (int64_t k = 2 * s->products; k < s->count; k++, of++) {
            const double *x = values_of(g, *of, B);
            int64_t xs = !(*of & 1);
            for (int64_t b = 0; b < n; b++) y[b] += x[b * xs];
        }
        return G_FINE;
    }
    if (s->op == G_PICK) {
        const double *by = g->own + s->by * B;
        for (int64_t b = 0; b < n; b++) {
            if (!(by[b] >= 0 && by[b] < (double)s->count)) return G_OUT_OF_RANGE;
            int64_t ref = of[(int64_t)by[b]];
            y[b] = values_of(g, ref, B)[ref & 1 ? 0 : b];
        }
        return G_FINE;
    }
    if (s->op == G_MAX || s->op == G_MIN) {
        for (int64_t k = 0; k < s->count; k++) {
            const double *x = values_of(g, of[k], B);
            int64_t xs = !(of[k] & 1);
            for (int64_t b = 0; b < n; b++) {
                double other = x[b * xs];
                if (k == 0 || (s->op == G_MAX ? other > y[b] : other < y[b])) y[b] = other;
            }
        }
        return G_FINE;
    }
    const double *p = values_of(g, of[0], B), *q = s->count > 1 ? values_of(g, of[1], B) : p;
    const int64_t ps = !(of[0] & 1), qs = s->count > 1 ? !(of[1] & 1) : 0;
    int doubtful = 0;
#define ALONG(formula)                                                                                                          \
    for (int64_t b = 0; b < n; b++) {                                                                                          \
        double x = p[b * ps], z = q[b * qs];                                                                                   \
        (void)x, (void)z;                                                                                                      \
        y[b] = formula;                                                                                                        \
    }                                                                                                                          \
    break
    switch (s->op) {
    case G_SUB: ALONG(x - z);
    case G_MUL: ALONG(x * z);
    case G_DIV: ALONG(x / z);
    case G_POW: ALONG(pow(x, z));
    case G_POWC: ALONG(s->exponent == -0.5 ? 1 / sqrt(x) : s->exponent == 2 ? x * x : pow(x, s->exponent));
    case G_NEG: ALONG(-x);
    case G_EXP: ALONG(exp(x));
    case G_LOG: ALONG(log(x));
    case G_TANH: ALONG(tanh(x));
    case G_RELU: ALONG(x <= 0 ? 0 : x);
    case G_SIGMOID: ALONG((x >= 0 ? 1 : exp(x)) / (1 + exp(-fabs(x))));
    case G_SIN: ALONG(sin(x));
    case G_COS: ALONG(cos(x));
    case G_DATA: ALONG(x);
    }
#undef ALONG
    if (s->op == G_DIV || s->op == G_POW || s->op == G_POWC || s->op == G_LOG || s->op == G_SIN || s->op == G_COS) {
        for (int64_t b = 0; b < n; b++) doubtful |= !isfinite(y[b]) || (s->op == G_POW && p[b * ps] < 0);
    }
    return doubtful ? G_DOUBTFUL : G_FINE;
}

static inline void backward_piece(const graph *g, const piece *s, int64_t B) {
    const int64_t *of = g->operands + s->first, n = s->shared ? 1 : B;
    const int64_t mine = 2 * s->out + s->shared;
    const double *y = values_of(g, mine, B), *above = grads_of(g, mine, B), one = 1;
    if (s->op == G_ADD) {
        for (int64_t k = 0; k < s->products; k++, of += 2) {
            int64_t ps = n > 1 && !(of[0] & 1), qs = n > 1 && !(of[1] & 1);
            add_gradient(grads_of(g, of[0], B), ps, above, values_of(g, of[1], B), qs, n);
            add_gradient(grads_of(g, of[1], B), qs, above, values_of(g, of[0], B), ps, n);
        }
        for (int64_t k = 2 * s->products; k < s->count; k++, of++) {
            add_gradient(grads_of(g, *of, B), n > 1 && !(*of & 1), above, &one, 0, n);
        }
        return;
    }
    if (s->op == G_PICK) {
        const double *by = g->own + s->by * B;
        for (int64_t b = 0; b < n; b++) {
            int64_t ref = of[(int64_t)by[b]];
            grads_of(g, ref, B)[ref & 1 ? 0 : b] += above[b];
        }
        return;
    }
    if (s->op == G_MAX || s->op == G_MIN || s->op == G_DATA) return; /* numbers that were read: no gradient */
    const double *p = values_of(g, of[0], B), *q = s->count > 1 ? values_of(g, of[1], B) : p;
    const int64_t ps = !(of[0] & 1), qs = s->count > 1 ? !(of[1] & 1) : 0;
    double *dp = grads_of(g, of[0], B), *dq = s->count > 1 ? grads_of(g, of[1], B) : dp;
#define ALONG(first, second)                                                                                                    \
    for (int64_t b = 0; b < n; b++) {                                                                                          \
        double x = p[b * ps], z = q[b * qs], dy = above[b];                                                                    \
        (void)x, (void)z;                                                                                                      \
        dp[b * ps] += (first) * dy;                                                                                            \
        if (s->count > 1) dq[b * qs] += (second) * dy;                                                                         \
    }                                                                                                                          \
    break
    switch (s->op) {
    case G_SUB: ALONG(1, -1);
    case G_MUL: ALONG(z, x);
    case G_DIV: ALONG(1 / z, -y[b] / z);
    case G_POW: ALONG(z == 0 ? 0 : z * pow(x, z - 1), x > 0 ? y[b] * log(x) : 0);
    case G_POWC: ALONG(s->exponent == 0 ? 0 : s->exponent == -0.5 ? -0.5 * y[b] / x : s->exponent * pow(x, s->exponent - 1), 0);
    case G_NEG: ALONG(-1, 0);
    case G_EXP: ALONG(y[b], 0);
    case G_LOG: ALONG(1 / x, 0);
    case G_TANH: ALONG(1 - y[b] * y[b], 0);
    case G_RELU: ALONG(x <= 0 ? 0 : 1, 0);
    case G_SIGMOID: ALONG(y[b] * (1 - y[b]), 0);
    case G_SIN: ALONG(cos(x), 0);
    case G_COS: ALONG(-sin(x), 0);
    }
#undef ALONG
}

/* Computes the outputs (outputs x B) for the numbers of the leaves and of the inputs (inputs x B). */
static int graph_forward(graph *g, const double *leaves, const double *inputs, int64_t B, double *out) {
    if (B != g->examples) {
        free(g->own), free(g->grads);
        g->own = malloc((g->rows * B + 1) * sizeof *g->own);
        g->grads = malloc((g->rows * B + 1) * sizeof *g->grads);
        g->examples = g->own && g->grads ? B : 0;
        if (!g->examples) return G_NO_MEMORY;
    }
    memcpy(g->shared, leaves, g->leaves * sizeof *leaves);
    memcpy(g->own, inputs, g->inputs * B * sizeof *inputs);
    int state = G_FINE;
    for (int64_t i = 0; i < g->pieces && state == G_FINE; i++) {
        state = B == 1 ? forward_piece(g, &g->steps[i], 1) : forward_piece(g, &g->steps[i], B);
    }
    for (int64_t i = 0; i < g->outputs; i++) {
        const double *y = values_of(g, g->ends[i], B);
        for (int64_t b = 0; b < B; b++) out[i * B + b] = y[g->ends[i] & 1 ? 0 : b];
    }
    return state;
}

/* Computes the gradients of the leaves and of the inputs (inputs x B), given those of the outputs (outputs x B). */
static void graph_backward(graph *g, const double *above, double *by_leaves, double *by_inputs) {
    const int64_t B = g->examples;
    memset(g->shared_grads, 0, g->shared_rows * sizeof(double));
    memset(g->grads, 0, g->rows * B * sizeof(double));
    for (int64_t i = 0; i < g->outputs; i++) {
        double *to = grads_of(g, g->ends[i], B);
        for (int64_t b = 0; b < B; b++) to[g->ends[i] & 1 ? 0 : b] += above[i * B + b];
    }
    for (int64_t i = g->pieces; i-- > 0;) {
        B == 1 ? backward_piece(g, &g->steps[i], 1) : backward_piece(g, &g->steps[i], B);
    }
    memcpy(by_leaves, g->shared_grads, g->leaves * sizeof(double));
    memcpy(by_inputs, g->grads, g->inputs * B * sizeof(double));
}
