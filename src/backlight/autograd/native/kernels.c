/* The ops of a recorded training step, forward and backward, one after the other without a return to Python.

   Each function does what the op of the same name in autograd/ops does: the formulas stand there, and the derivations in
   docs/derivations. All arrays are float32 matrices (rows x C), rows one after the other. Where a gradient goes to a
   place that has one already, `add` is 1. In front of each pair of functions stands what its arguments are: p the arrays,
   n whole numbers, f numbers, first those of the way forward and after the bar those of the way back.

   This file is compiled once for each level of processor, with LEVEL as the ending of the names that are seen outside. */

#include "attention.h"
#include "baseline.h"
#include "layers.h"
#include "losses.h"
#include "measure.h"
#include "norms.h"
#include "optimisers.h"
#include "recurrences.h"

typedef void (*kernel)(const step *, int64_t);

/* Every kernel under the name by which lowering.py emits it. Its place here is `op` of a step. */
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

/* Returns 0, or 1 if an id was not in its table. */
int NAMED(run_, LEVEL)(const step *steps, int64_t count, int64_t rows) {
    failed = 0;
    for (const step *s = steps; s < steps + count && !failed; s++) KERNELS[s->op].run(s, s->rows ? s->rows : rows);
    return failed;
}

/* The name of a kernel by its place; NULL after the last. */
const char *NAMED(kernel_name_, LEVEL)(int64_t place) {
    return place < (int64_t)(sizeof KERNELS / sizeof *KERNELS) ? KERNELS[place].name : 0;
}

/* Identifies a library that was built from other sources. */
int NAMED(fingerprint_, LEVEL)(void) { return FINGERPRINT; }

void NAMED(adamw_, LEVEL)(int64_t size, float *data, const float *grad, float *mean, float *square,
                          const float *decaying, const adamw_numbers *numbers) {
    adamw(size, data, grad, mean, square, decaying, numbers);
}

void NAMED(blend_, LEVEL)(int64_t size, float *moved, const float *by, float keep, float take) {
    blend(size, moved, by, keep, take);
}

void NAMED(use_blas_, LEVEL)(void *sgemm, int wide) {
    blas = sgemm;
    blas_wide = wide;
}

int64_t NAMED(measure_, LEVEL)(const request *requests, int64_t count, const float *const *x, const float *const *less,
                               float *const *copies, int64_t copied, result *results, int32_t *bins, uint8_t *alive) {
    return measure(requests, count, x, less, copies, copied, results, bins, alive);
}

int NAMED(measure_sizes_, LEVEL)(void) { return (int)(1000 * sizeof(request) + sizeof(result)); }
