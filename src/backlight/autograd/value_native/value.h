/* A Value in C: the struct, and how nodes are made and freed.

   `autograd/value.py` is the same class in Python, and the reference: a test compares the two bit by bit. What is rare or
   wrong, such as whole numbers and a division by 0, is computed by that class (`ask`), so its rules are stated once. */

#pragma once

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include "../native/baseline.h"

#include <math.h>
#include <stdint.h>

typedef struct value value;

/* What few nodes have. */
typedef struct {
    PyObject *label;  /* NULL for "" */
    PyObject *exact;  /* the number itself if it is an int beyond 2^53 */
    PyObject *symbol; /* the op's symbol if it is not in SYMBOLS: that of a constant power, say */
    Py_ssize_t count; /* edges to the parents after the first of a node with more than two */
    struct {
        value *parent;
        double by;
    } edges[];
} rare_parts;

struct value {
    PyObject_HEAD
    double data, grad;
    value *a, *b; /* the first two parents; if there are more than two, b is NULL and `rare` has the others */
    double by_a, by_b;
    rare_parts *rare;
    PyObject *weak; /* weak references to it */
    uint64_t serial : 48, op : 8, traced : 1 /* its number is unknown: the node of a trace */, whole : 1 /* an int */;
    int32_t users;     /* edges that lead to this node */
    int32_t waits_for; /* see backward.h */
};

enum { ADD, SUB, MUL, DIV, POW, NEG, EXP, LOG, TANH, RELU, SIGMOID, SIN, COS, DOT, LEAF, OTHER, OPS };
static const char *const SYMBOLS[OPS] = {"+",    "-",    "*",       "/",   "**",  "neg", "exp", "log",
                                         "tanh", "ReLU", "sigmoid", "sin", "cos", "dot", "",    ""};

static PyObject *symbols[OPS];
static PyTypeObject *value_type;  /* Value */
static PyTypeObject *traced_type; /* its subclass for unknown numbers; NULL before tracing.py sets it */
static PyObject *ask_rule;        /* value.py: (symbol, numbers...) -> (result, derivatives...) */
static PyObject *ask_number;      /* value.py: anything -> a real number; raises OperandError */
static uint64_t serials;

static inline int is_value(PyObject *x) { return Py_TYPE(x) == value_type || PyObject_TypeCheck(x, value_type); }

/* Nodes that were freed and wait to be used again: a training step frees as many as the next one makes, and memory that
   goes back to the system in between costs far more than the arithmetic. They are linked by `a`. */
static value *spare;
static Py_ssize_t spares;
enum { MOST_SPARES = 1 << 18 };

/* A node without parents. Returns NULL with an error set if there is no memory. */
static inline value *new_node(int traced, double data, int op) {
    PyTypeObject *type = traced && traced_type ? traced_type : value_type;
    value *made = spare;
    if (made) {
        spare = made->a;
        spares--;
        PyObject_Init((PyObject *)made, type);
    } else if (!(made = PyObject_GC_New(value, type))) { /* which does not track it: nodes form no cycles */
        return NULL;
    }
    made->grad = 0;
    made->a = made->b = NULL;
    made->by_a = made->by_b = 0;
    made->rare = NULL;
    made->weak = NULL;
    made->users = made->waits_for = 0;
    made->data = data;
    made->serial = serials++;
    made->op = op;
    made->traced = traced;
    made->whole = 0;
    return made;
}

/* The rare parts of a node, with room for edges if they are made now. Returns NULL with an error set without memory. */
static rare_parts *rare(value *node, Py_ssize_t count) {
    if (!node->rare) {
        node->rare = PyMem_Calloc(1, sizeof(rare_parts) + count * sizeof node->rare->edges[0]);
        if (!node->rare) PyErr_NoMemory();
    }
    return node->rare;
}

static void replace(PyObject **place, PyObject *by) {
    PyObject *before = *place;
    *place = Py_XNewRef(by);
    Py_XDECREF(before);
}

static inline value *adopt(value *parent) {
    parent->users++;
    return (value *)Py_NewRef((PyObject *)parent);
}

/* A node with one or two parents (b may be NULL). */
static inline PyObject *made(double data, int op, value *a, double by_a, value *b, double by_b) {
    value *node = new_node(a->traced || (b && b->traced), data, op);
    if (!node) return NULL;
    node->a = adopt(a);
    node->by_a = by_a;
    if (b) {
        node->b = adopt(b);
        node->by_b = by_b;
    }
    return (PyObject *)node;
}

/* Sets the number of a node from a Python number. Returns -1 with an error set if that is not a real number. */
static int set_number(value *node, PyObject *given) {
    PyObject *number;
    int failed = 0;
    if (PyFloat_Check(given)) {
        node->data = PyFloat_AsDouble(given);
        node->whole = 0;
        return 0;
    }
    if (PyLong_Check(given)) {
        node->data = PyLong_AsDouble(given);
        if (node->data == -1.0 && PyErr_Occurred()) { /* beyond 1.8e308 */
            PyErr_Clear();
            node->data = HUGE_VAL;
        }
        node->whole = 1;
        if (fabs(node->data) > 9007199254740992.0) {
            if (!rare(node, 0)) return -1;
            replace(&node->rare->exact, given);
        } else if (node->rare) {
            replace(&node->rare->exact, NULL);
        }
        return 0;
    }
    number = PyObject_CallFunctionObjArgs(ask_number, given, NULL);
    if (!number) return -1;
    failed = PyFloat_Check(number) || PyLong_Check(number) ? set_number(node, number) : -1;
    Py_DECREF(number);
    return failed;
}

static PyObject *get_number(value *node) {
    if (!node->whole) return PyFloat_FromDouble(node->data);
    if (node->rare && node->rare->exact) return Py_NewRef(node->rare->exact);
    return PyLong_FromDouble(node->data);
}

/* Any operand as a node: a new reference, or NULL with an error set. */
static value *as_value(PyObject *given) {
    if (is_value(given)) return (value *)Py_NewRef(given);
    value *leaf = new_node(0, 0, LEAF);
    if (!leaf) return NULL;
    if (PyFloat_CheckExact(given)) {
        leaf->data = PyFloat_AsDouble(given);
    } else if (set_number(leaf, given) < 0) {
        Py_DECREF((PyObject *)leaf);
        return NULL;
    }
    return leaf;
}

/* -- the end of a node: chains of a million nodes must not recurse ------------------------------------------------- */

static value *dying; /* nodes to be freed, linked by `weak` */
static int freeing;

static void free_node(value *node) {
    PyTypeObject *type = Py_TYPE((PyObject *)node);
    value *a = node->a, *b = node->b;
    rare_parts *parts = node->rare;
    if ((type == value_type || type == traced_type) && spares < MOST_SPARES) {
        node->a = spare;
        spare = node;
        spares++;
    } else {
        ((freefunc)PyType_GetSlot(type, Py_tp_free))(node);
    }
    Py_DECREF((PyObject *)type);
    Py_XDECREF((PyObject *)a);
    Py_XDECREF((PyObject *)b);
    if (parts) {
        Py_XDECREF(parts->label);
        Py_XDECREF(parts->exact);
        Py_XDECREF(parts->symbol);
        for (Py_ssize_t i = 0; i < parts->count; i++) Py_DECREF((PyObject *)parts->edges[i].parent);
        PyMem_Free(parts);
    }
}

/* Parents whose last reference goes while another node is being freed join the list, rather than the C stack. */
static void value_dealloc(value *node) {
    if (Py_TYPE((PyObject *)node) != value_type) PyObject_GC_UnTrack(node);
    if (node->weak) PyObject_ClearWeakRefs((PyObject *)node);
    node->weak = (PyObject *)dying; /* no longer needed */
    dying = node;
    if (freeing) return;
    freeing = 1;
    while (dying) {
        value *next = dying;
        dying = (value *)next->weak;
        free_node(next);
    }
    freeing = 0;
}

static inline Py_ssize_t count_parents(const value *node) {
    if (!node->a) return 0;
    if (node->b) return 2;
    return 1 + (node->rare ? node->rare->count : 0);
}

static inline value *parent_at(const value *node, Py_ssize_t place) {
    return place == 0 ? node->a : node->b ? node->b : node->rare->edges[place - 1].parent;
}

static inline double by_at(const value *node, Py_ssize_t place) {
    return place == 0 ? node->by_a : node->b ? node->by_b : node->rare->edges[place - 1].by;
}
