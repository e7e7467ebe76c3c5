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

static const kernel KERNELS[] = {
    embed,      embed_back,      linear,     linear_back,     tanh_op, tanh_back, relu,          relu_back,
    gelu,       gelu_back,       add,        add_back,        dropout, dropout,   batch_norm,    batch_norm_back,
    layer_norm, layer_norm_back, attention,  attention_back,  cross_entropy,      cross_entropy_back,
    rnn,        rnn_back,        gru,        gru_back,        lstm,    lstm_back,
};

#define JOIN(a, b) a##b
#define NAMED(name, level) JOIN(name, level)

/* Returns 0, or 1 if an id was not in its table. */
int NAMED(run_, LEVEL)(const step *steps, int64_t count, int64_t rows) {
    failed = 0;
    for (const step *s = steps; s < steps + count && !failed; s++) KERNELS[s->op](s, s->rows ? s->rows : rows);
    return failed;
}

/* Tells a library that was built from other sources. */
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
