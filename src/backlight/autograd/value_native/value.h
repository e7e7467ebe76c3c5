/* A Value in C: the struct, and how nodes are made and freed.

   `autograd/value.py` is the same class in Python, and the reference: a test compares the two bit by bit. What is rare or
   wrong, such as whole numbers and a division by 0, is computed by that class (`ask`), so its rules are stated once. */

#pragma once

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <math.h>
#include <stdint.h>

typedef struct value value;

/* The parents of a node after its first, if it has more than two, and its derivatives with respect to them. */
typedef struct {
    Py_ssize_t count;
    struct {
        value *parent;
        double by;
    } edges[];
} more_edges;

struct value {
    PyObject_HEAD
    double data, grad;
    value *a, *b; /* the first two parents; `more` has the others if there are more than two, and then b is NULL */
    double by_a, by_b;
    more_edges *more;
    PyObject *op;    /* its symbol, a str */
    PyObject *label; /* NULL for "" */
    PyObject *exact; /* the number itself if it is an int; NULL if it is a float */
    PyObject *weak;  /* weak references to it */
    int64_t serial;
    int32_t users;     /* edges that lead to this node */
    int32_t waits_for; /* see backward.h */
    int traced;        /* whether its number is unknown: the node of a trace */
};

enum { ADD, SUB, MUL, DIV, POW, NEG, EXP, LOG, TANH, RELU, SIGMOID, SIN, COS, DOT, LEAF, OPS };
static const char *const SYMBOLS[OPS] = {"+",    "-",    "*",       "/",   "**",  "neg", "exp", "log",
                                         "tanh", "ReLU", "sigmoid", "sin", "cos", "dot", ""};

static PyObject *symbols[OPS];
static PyTypeObject *value_type;  /* Value */
static PyTypeObject *traced_type; /* its subclass for unknown numbers; NULL before tracing.py sets it */
static PyObject *ask_rule;        /* value.py: (symbol, numbers...) -> (result, derivatives...) */
static PyObject *ask_number;      /* value.py: anything -> a real number; raises OperandError */
static int64_t serials;

static inline int is_value(PyObject *x) { return Py_TYPE(x) == value_type || PyObject_TypeCheck(x, value_type); }

/* A node without parents. Returns NULL with an error set if there is no memory. */
static value *new_node(int traced, double data, PyObject *op) {
    PyTypeObject *type = traced && traced_type ? traced_type : value_type;
    value *made = (value *)PyType_GenericAlloc(type, 0);
    if (!made) return NULL;
    made->data = data;
    made->op = Py_NewRef(op);
    made->serial = serials++;
    made->traced = traced;
    return made;
}

static inline value *adopt(value *parent) {
    parent->users++;
    return (value *)Py_NewRef((PyObject *)parent);
}

/* A node with one or two parents (b may be NULL). */
static PyObject *made(double data, PyObject *op, value *a, double by_a, value *b, double by_b) {
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
    PyObject *exact = NULL, *number = NULL;
    if (PyFloat_Check(given)) {
        node->data = PyFloat_AsDouble(given);
    } else if (PyLong_Check(given)) {
        node->data = PyLong_AsDouble(given);
        if (node->data == -1.0 && PyErr_Occurred()) { /* beyond 1.8e308 */
            PyErr_Clear();
            node->data = HUGE_VAL;
        }
        exact = Py_NewRef(given);
    } else {
        number = PyObject_CallFunctionObjArgs(ask_number, given, NULL);
        if (!number) return -1;
        int failed = PyFloat_Check(number) || PyLong_Check(number) ? set_number(node, number) : -1;
        Py_DECREF(number);
        return failed;
    }
    PyObject *before = node->exact;
    node->exact = exact;
    Py_XDECREF(before);
    return 0;
}

static PyObject *get_number(value *node) { return node->exact ? Py_NewRef(node->exact) : PyFloat_FromDouble(node->data); }

/* Any operand as a node: a new reference, or NULL with an error set. */
static value *as_value(PyObject *given) {
    if (is_value(given)) return (value *)Py_NewRef(given);
    value *leaf = new_node(0, 0, symbols[LEAF]);
    if (!leaf) return NULL;
    if (PyFloat_CheckExact(given)) {
        leaf->data = PyFloat_AsDouble(given);
    } else if (set_number(leaf, given) < 0) {
        Py_DECREF(leaf);
        return NULL;
    }
    return leaf;
}

/* -- the end of a node: chains of a million nodes must not recurse ------------------------------------------------- */

static value *dying; /* nodes to be freed, linked by `b` after their parents were put aside */
static int freeing;

static void release(value *parent) {
    if (parent) Py_DECREF(parent);
}

static void free_node(value *node) {
    PyTypeObject *type = Py_TYPE((PyObject *)node);
    value *a = node->a, *b = node->b;
    more_edges *more = node->more;
    Py_XDECREF(node->op);
    Py_XDECREF(node->label);
    Py_XDECREF(node->exact);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(node);
    Py_DECREF(type);
    release(a);
    release(b);
    if (more) {
        for (Py_ssize_t i = 0; i < more->count; i++) release(more->edges[i].parent);
        PyMem_Free(more);
    }
}

/* Parents whose last reference goes while another node is being freed join the list, rather than the C stack. */
static void value_dealloc(value *node) {
    if (node->weak) PyObject_ClearWeakRefs((PyObject *)node);
    node->weak = (PyObject *)dying; /* no longer needed: the link of the list */
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
    return 1 + (node->more ? node->more->count : 0);
}

static inline value *parent_at(const value *node, Py_ssize_t place) {
    return place == 0 ? node->a : node->b ? node->b : node->more->edges[place - 1].parent;
}

static inline double by_at(const value *node, Py_ssize_t place) {
    return place == 0 ? node->by_a : node->b ? node->by_b : node->more->edges[place - 1].by;
}
