/* The table of the kernels, and the function that runs a list of kernel calls without returning to Python.

   Each kernel computes the op of the same name in autograd/ops, which has the formulas; docs/derivations has the
   derivations. All arrays are float32 matrices (rows x C), row by row. `add` is 1 if a gradient is to be added to the one
   that its array already holds. A comment before each pair of functions lists their arguments: the arrays p, the whole
   numbers n and the numbers f, for the forward pass and, after the bar, for the backward pass.

   This file is compiled once for each instruction set. LEVEL is the suffix of its exported names. */

#include "attention.h"
#include "baseline.h"
#include "compact.h"
#include "decoding.h"
#include "graphs.h"
#include "layers.h"
#include "losses.h"
#include "measure.h"
#include "norms.h"
#include "optimisers.h"
#include "random.h"
#include "recurrences.h"

typedef void (*kernel)(const step *, int64_t);

/* Every kernel, by the name that lowering.py uses. The index is `op` of a step. */
static const struct {
    const char *name;
    kernel run;
} KERNELS[] = {
    {"embed", embed},
    {"embed_back", embed_back},
    {"linear", linear},
    {"linear_back", linear_back},
    {"tanh", tanh_op},
    {"tanh_back", tanh_back},
    {"relu", relu},
    {"relu_back", relu_back},
    {"gelu", gelu},
    {"gelu_back", gelu_back},
    {"add", add},
    {"add_back", add_back},
    {"dropout", dropout},
    {"batch_norm", batch_norm},
    {"batch_norm_back", batch_norm_back},
    {"layer_norm", layer_norm},
    {"layer_norm_back", layer_norm_back},
    {"attention", attention},
    {"attention_back", attention_back},
    {"cross_entropy", cross_entropy},
    {"cross_entropy_back", cross_entropy_back},
    {"rnn", rnn},
    {"rnn_back", rnn_back},
    {"gru", gru},
    {"gru_back", gru_back},
    {"lstm", lstm},
    {"lstm_back", lstm_back},
};

#define JOIN(a, b) a##b
#define NAMED(name, level) JOIN(name, level)

INLINE void use_threads(int64_t threads) { team = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : (int)threads; }

/* Returns 0, or 1 if an id was out of range. */
int NAMED(run_, LEVEL)(const step *steps, int64_t count, int64_t rows, int64_t threads) {
    failed = 0;
    use_threads(threads);
    for (const step *s = steps; s < steps + count && !failed; s++) KERNELS[s->op].run(s, s->rows ? s->rows : rows);
    return failed;
}

/* The name of a kernel by its index; NULL after the last. */
const char *NAMED(kernel_name_, LEVEL)(int64_t place) {
    return place < (int64_t)(sizeof KERNELS / sizeof *KERNELS) ? KERNELS[place].name : 0;
}

/* The checksum of the sources, which detects a library that was built from other sources. */
int NAMED(fingerprint_, LEVEL)(void) { return FINGERPRINT; }

void NAMED(adamw_, LEVEL)(int64_t size, float *data, const float *grad, float *mean, float *square,
                          const float *decaying, const adamw_numbers *numbers, int64_t threads) {
    step s = {.p = {data, (void *)grad, mean, square, (void *)decaying, (void *)numbers}};
    use_threads(threads);
    share(&s, 0, size, VECTOR, 4 * (double)size, adamw_part);
}

void NAMED(blend_, LEVEL)(int64_t size, float *moved, const float *by, float keep, float take, int64_t threads) {
    step s = {.f = {keep, take}, .p = {moved, (void *)by}};
    use_threads(threads);
    share(&s, 0, size, VECTOR, (double)size, blend_part);
}

void NAMED(uniform_, LEVEL)(pcg64 *generator, int64_t size, float *y, int64_t threads) {
    use_threads(threads);
    pcg_fill(generator, size, y);
}

void NAMED(compact_product_, LEVEL)(int64_t kind, int64_t rows, int64_t terms, int64_t padded, const void *w,
                                    const float *scales, const float *x, const float *bias, float *y, void *room) {
    compact_product(kind, rows, terms, padded, w, scales, x, bias, y, room);
}

void NAMED(compact_widen_, LEVEL)(int64_t kind, int64_t rows, int64_t terms, int64_t padded, const void *w,
                                  const float *scales, float *to) {
    compact_widen(kind, rows, terms, padded, w, scales, to);
}

void NAMED(decode_attention_, LEVEL)(int64_t T, int64_t H, int64_t D, const float *keys, const float *values,
                                     const float *q, float *y, float *room) {
    decode_attention(T, H, D, keys, values, q, y, room);
}

void NAMED(rows_attention_, LEVEL)(int64_t T, int64_t H, int64_t D, const float *qkv, float *y, float *room) {
    rows_attention(T, H, D, qkv, y, room);
}

int64_t NAMED(rows_attention_room_, LEVEL)(int64_t T) { return WIDTH(T) * T + PANEL; }

void NAMED(rows_norm_, LEVEL)(int64_t rows, int64_t C, const float *x, const float *gain, const float *bias, float eps,
                              float *y) {
    rows_norm(rows, C, x, gain, bias, eps, y);
}

void NAMED(rows_gelu_, LEVEL)(int64_t n, const float *x, float *y) { rows_gelu(n, x, y); }

void NAMED(use_blas_, LEVEL)(void *sgemm, int wide) {
    blas = sgemm;
    blas_wide = wide;
}

int64_t NAMED(measure_, LEVEL)(const request *requests, int64_t count, const float *const *x, const float *const *less,
                               float *const *copies, int64_t copied, result *results, int32_t *bins, uint8_t *alive) {
    return measure(requests, count, x, less, copies, copied, results, bins, alive);
}

int NAMED(measure_sizes_, LEVEL)(void) { return (int)(1000 * sizeof(request) + sizeof(result)); }

graph *NAMED(graph_new_, LEVEL)(int64_t leaves, int64_t inputs, int64_t nodes, const uint8_t *ops, const double *exponents,
                                const int64_t *counts, const int64_t *parents, const int64_t *by, int64_t outputs,
                                const int64_t *ends) {
    return graph_new(leaves, inputs, nodes, ops, exponents, counts, parents, by, outputs, ends);
}

int NAMED(graph_forward_, LEVEL)(graph *g, const double *leaves, const double *inputs, int64_t B, double *out) {
    return graph_forward(g, leaves, inputs, B, out);
}

void NAMED(graph_backward_, LEVEL)(graph *g, const double *above, double *by_leaves, double *by_inputs) {
    graph_backward(g, above, by_leaves, by_inputs);
}

void NAMED(graph_free_, LEVEL)(graph *g) { graph_free(g); }

/* The name of an op of a graph by its code; NULL after the last. */
const char *NAMED(graph_op_, LEVEL)(int64_t code) { return code < G_OPS ? GRAPH_OPS[code] : 0; }
