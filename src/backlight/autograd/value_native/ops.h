/* The ops of a Value: numbers and local derivatives, as `value.py` has them. */

#pragma once

#include "value.h"

/* The result and the derivatives by the Python class, for whole numbers and for what is undefined. */
static PyObject *ask(int op, value *a, value *b) {
    PyObject *x = get_number(a), *y = b ? get_number(b) : NULL;
    PyObject *answer = PyObject_CallFunctionObjArgs(ask_rule, symbols[op], x, y, NULL);
    PyObject *node = NULL, *number;
    double by_a, by_b;
    Py_XDECREF(x);
    Py_XDECREF(y);
    if (!answer) return NULL;
    if (PyArg_ParseTuple(answer, "Odd", &number, &by_a, &by_b)) {
        node = made(0, op, a, by_a, b, by_b);
        if (node && set_number((value *)node, number) < 0) Py_CLEAR(node);
    }
    Py_DECREF(answer);
    return node;
}

/* Whether a positive power and its slope are ordinary numbers; the others are left to `ask`. */
static int power(double a, double exponent, double *y, double *slope) {
    if (!(a > 0) || !isfinite(a) || !isfinite(exponent)) return 0;
    *y = pow(a, exponent);
    *slope = exponent == 0 ? 0.0 : exponent * pow(a, exponent - 1);
    return isfinite(*y) && isfinite(*slope);
}

static PyObject *binary_values(int op, value *a, value *b) {
    double x = a->data, y = b->data, slope;
    if (a->traced || b->traced) return made(NAN, op, a, 0, b, 0);
    if (a->whole && b->whole) return ask(op, a, b);
    switch (op) {
    case ADD:
        return made(x + y, op, a, 1, b, 1);
    case SUB:
        return made(x - y, op, a, 1, b, -1);
    case MUL:
        return made(x * y, op, a, y, b, x);
    case DIV:
        if (y == 0) return ask(op, a, b);
        return made(x / y, op, a, 1 / y, b, -(x / y) / y);
    default: /* POW */
        if (a->whole || b->whole || !power(x, y, &x, &slope)) return ask(op, a, b);
        return made(x, op, a, slope, b, x * log(a->data));
    }
}

static PyObject *binary(int op, PyObject *left, PyObject *right) {
    value *a = as_value(left), *b = a ? as_value(right) : NULL;
    PyObject *node = b ? binary_values(op, a, b) : NULL;
    Py_XDECREF((PyObject *)a);
    Py_XDECREF((PyObject *)b);
    return node;
}

static PyObject *value_add(PyObject *a, PyObject *b) { return binary(ADD, a, b); }
static PyObject *value_sub(PyObject *a, PyObject *b) { return binary(SUB, a, b); }
static PyObject *value_mul(PyObject *a, PyObject *b) { return binary(MUL, a, b); }
static PyObject *value_div(PyObject *a, PyObject *b) { return binary(DIV, a, b); }

/* A constant exponent is no parent but part of the symbol, as in micrograd. */
static PyObject *constant_power(value *a, PyObject *given) {
    double y = NAN, slope = 0;
    value *exponent = as_value(given); /* checks the number */
    PyObject *number = exponent ? get_number(exponent) : NULL;
    PyObject *symbol = number ? PyUnicode_FromFormat("**%S", number) : NULL;
    PyObject *node = NULL;
    if (symbol) {
        int ordinary = a->traced || (!a->whole && power(a->data, exponent->data, &y, &slope));
        if (ordinary) {
            node = made(y, OTHER, a, slope, NULL, 0);
        } else {
            PyObject *x = get_number(a), *answer = PyObject_CallFunctionObjArgs(ask_rule, symbols[POW], x, number, Py_True, NULL);
            PyObject *result;
            if (answer && PyArg_ParseTuple(answer, "Odd", &result, &slope, &y)) {
                node = made(0, OTHER, a, slope, NULL, 0);
                if (node && set_number((value *)node, result) < 0) Py_CLEAR(node);
            }
            Py_XDECREF(x);
            Py_XDECREF(answer);
        }
        if (node && !rare((value *)node, 0)) Py_CLEAR(node);
        if (node) replace(&((value *)node)->rare->symbol, symbol);
    }
    Py_XDECREF(symbol);
    Py_XDECREF(number);
    Py_XDECREF((PyObject *)exponent);
    return node;
}

static PyObject *value_pow(PyObject *left, PyObject *right, PyObject *modulus) {
    if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
    if (is_value(left) && !is_value(right)) return constant_power((value *)left, right);
    return binary(POW, left, right);
}

static PyObject *unary(int op, value *a) {
    double x = a->data, y;
    if (a->traced) return made(NAN, op, a, 0, NULL, 0);
    if (a->whole) return ask(op, a, NULL);
    switch (op) {
    case NEG:
        return made(-x, op, a, -1, NULL, 0);
    case EXP:
        y = exp(x);
        return made(y, op, a, y, NULL, 0);
    case LOG:
        if (x <= 0) break;
        return made(log(x), op, a, 1 / x, NULL, 0);
    case TANH:
        y = tanh(x);
        return made(y, op, a, 1 - y * y, NULL, 0);
    case RELU: /* nan propagates */
        return made(x <= 0 ? 0 : x, op, a, x <= 0 ? 0 : 1, NULL, 0);
    case SIGMOID: /* e cannot overflow */
        y = exp(-fabs(x));
        y = (x >= 0 ? 1 : y) / (1 + y);
        return made(y, op, a, y * (1 - y), NULL, 0);
    case SIN:
        if (isinf(x)) break;
        return made(sin(x), op, a, cos(x), NULL, 0);
    case COS:
        if (isinf(x)) break;
        return made(cos(x), op, a, -sin(x), NULL, 0);
    }
    return ask(op, a, NULL);
}

static PyObject *value_neg(PyObject *a) { return unary(NEG, (value *)a); }
static PyObject *value_exp(PyObject *a, PyObject *none) { return (void)none, unary(EXP, (value *)a); }
static PyObject *value_log(PyObject *a, PyObject *none) { return (void)none, unary(LOG, (value *)a); }
static PyObject *value_tanh(PyObject *a, PyObject *none) { return (void)none, unary(TANH, (value *)a); }
static PyObject *value_relu(PyObject *a, PyObject *none) { return (void)none, unary(RELU, (value *)a); }
static PyObject *value_sigmoid(PyObject *a, PyObject *none) { return (void)none, unary(SIGMOID, (value *)a); }
static PyObject *value_sin(PyObject *a, PyObject *none) { return (void)none, unary(SIN, (value *)a); }
static PyObject *value_cos(PyObject *a, PyObject *none) { return (void)none, unary(COS, (value *)a); }

/* dot(weights, inputs, bias), with Values only: bias + the sum of weights times inputs, as one node. */
static PyObject *dot(PyObject *module, PyObject *args) {
    PyObject *weights, *inputs, *bias;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!O!", &PyTuple_Type, &weights, &PyTuple_Type, &inputs, value_type, &bias)) return NULL;
    Py_ssize_t n = PyTuple_Size(weights), traced = ((value *)bias)->traced;
    double sum = ((value *)bias)->data;
    for (Py_ssize_t i = 0; i < 2 * n; i++) {
        PyObject *operand = i < n ? PyTuple_GetItem(weights, i) : PyTuple_GetItem(inputs, i - n);
        if (!operand || !is_value(operand)) return PyErr_Format(PyExc_TypeError, "dot takes Values"), NULL;
        traced |= ((value *)operand)->traced;
    }
    value *node = new_node((int)traced, 0, DOT);
    if (!node) return NULL;
    node->a = adopt((value *)bias);
    node->by_a = 1;
    if (!rare(node, 2 * n)) return Py_DECREF((PyObject *)node), NULL;
    node->rare->count = 2 * n;
    for (Py_ssize_t i = 0; i < n; i++) {
        value *w = (value *)PyTuple_GetItem(weights, i), *x = (value *)PyTuple_GetItem(inputs, i);
        sum += w->data * x->data;
        node->rare->edges[i].parent = adopt(w);
        node->rare->edges[i].by = x->data;
        node->rare->edges[n + i].parent = adopt(x);
        node->rare->edges[n + i].by = w->data;
    }
    node->data = traced ? NAN : sum;
    return (PyObject *)node;
}
