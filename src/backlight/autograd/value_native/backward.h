/* The backward pass through Values: `autograd/value_backward.py` in C, which describes it, in the same order of sums. */

#pragma once

#include "value.h"

typedef struct {
    value **nodes;
    Py_ssize_t count, room;
} pile;

/* Returns -1 if there is no memory. */
static int push(pile *on, value *node) {
    if (on->count == on->room) {
        Py_ssize_t room = on->room ? 2 * on->room : 256;
        value **grown = PyMem_Realloc(on->nodes, room * sizeof(value *));
        if (!grown) return -1;
        on->nodes = grown;
        on->room = room;
    }
    on->nodes[on->count++] = node;
    return 0;
}

typedef struct {
    pile ready;   /* nodes whose gradient is complete */
    pile waiting; /* nodes that began to wait, in this order; some are complete by now */
    pile overdue; /* a heap of nodes that still wait, the youngest first */
} pass;

/* Adds a contribution to the gradient of a parent. Returns 1 if it is complete and the pass goes on from it, 0 if not, -1
   if there is no memory. */
static inline int contribute(value *parent, double by, double grad, pass *on) {
    if (!parent->a) { /* a leaf accumulates */
        parent->grad += by * grad;
        return 0;
    }
    if (parent->users == 1) {
        parent->grad = by * grad;
        return 1;
    }
    if (parent->waits_for) {
        parent->grad += by * grad;
        return --parent->waits_for == 0;
    }
    parent->grad = by * grad;
    parent->waits_for = parent->users - 1;
    return push(&on->waiting, parent);
}

static int propagate(value *node, pass *on) {
    int complete;
    if (push(&on->ready, node) < 0) return -1;
    while (on->ready.count) {
        node = on->ready.nodes[--on->ready.count];
        while (node) { /* follow first parents as long as they are complete */
            if (node->b) {
                complete = contribute(node->b, node->by_b, node->grad, on);
                if (complete < 0 || (complete && push(&on->ready, node->b) < 0)) return -1;
            } else if (node->rare) {
                for (Py_ssize_t i = 0; i < node->rare->count; i++) {
                    value *parent = node->rare->edges[i].parent;
                    complete = contribute(parent, node->rare->edges[i].by, node->grad, on);
                    if (complete < 0 || (complete && push(&on->ready, parent) < 0)) return -1;
                }
            }
            complete = contribute(node->a, node->by_a, node->grad, on);
            if (complete < 0) return -1;
            node = complete ? node->a : NULL;
        }
    }
    return 0;
}

static int push_heap(pile *heap, value *node) {
    if (push(heap, node) < 0) return -1;
    Py_ssize_t at = heap->count - 1;
    while (at && heap->nodes[(at - 1) / 2]->serial < node->serial) {
        heap->nodes[at] = heap->nodes[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->nodes[at] = node;
    return 0;
}

static value *pop_heap(pile *heap) {
    value *top = heap->nodes[0], *last = heap->nodes[--heap->count];
    Py_ssize_t at = 0, child;
    while ((child = 2 * at + 1) < heap->count) {
        if (child + 1 < heap->count && heap->nodes[child + 1]->serial > heap->nodes[child]->serial) child++;
        if (heap->nodes[child]->serial <= last->serial) break;
        heap->nodes[at] = heap->nodes[child];
        at = child;
    }
    if (heap->count) heap->nodes[at] = last;
    return top;
}

/* The youngest node that still waits for users outside the graph: it is complete. NULL if there is none; -1 is failure. */
static int next_overdue(pass *on, value **found) {
    for (Py_ssize_t i = 0; i < on->waiting.count; i++) {
        if (on->waiting.nodes[i]->waits_for && push_heap(&on->overdue, on->waiting.nodes[i]) < 0) return -1;
    }
    on->waiting.count = 0;
    *found = NULL;
    while (on->overdue.count && !*found) {
        value *node = pop_heap(&on->overdue);
        if (node->waits_for) {
            node->waits_for = 0;
            *found = node;
        }
    }
    return 0;
}

static PyObject *value_backward(PyObject *self, PyObject *none) {
    value *node = (value *)self;
    pass on = {0};
    int failed = 0;
    (void)none;
    if (!node->a) {
        node->grad += 1;
        Py_RETURN_NONE;
    }
    node->grad = 1;
    while (node && !failed) failed = propagate(node, &on) < 0 || next_overdue(&on, &node) < 0;
    for (Py_ssize_t i = 0; i < on.waiting.count; i++) on.waiting.nodes[i]->waits_for = 0;
    for (Py_ssize_t i = 0; i < on.overdue.count; i++) on.overdue.nodes[i]->waits_for = 0;
    PyMem_Free(on.ready.nodes);
    PyMem_Free(on.waiting.nodes);
    PyMem_Free(on.overdue.nodes);
    if (failed) return PyErr_NoMemory();
    Py_RETURN_NONE;
}
