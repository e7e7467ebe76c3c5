/* A graph of Values as arrays. */

#pragma once

#include "backward.h"
#include "value.h"

/* Puts every node from `ends` on whose serial number is at least `start` into places[serial - start], every older one into
   `old`. `waits_for`, which is 0 between passes, marks older ones as visited. Returns -1 if there is no memory. */
static int collect(pile *pending, value **places, uint64_t start, pile *old) {
    while (pending->count) {
        value *node = pending->nodes[--pending->count];
        if (node->serial < start) {
            if (node->waits_for) continue;
            node->waits_for = 1;
            if (push(old, node) < 0) return -1;
        } else {
            if (places[node->serial - start]) continue;
            places[node->serial - start] = node;
        }
        for (Py_ssize_t i = 0; i < count_parents(node); i++) {
            if (push(pending, parent_at(node, i)) < 0) return -1;
        }
    }
    return 0;
}

static PyObject *bytes_of(const void *from, Py_ssize_t size) { return PyBytes_FromStringAndSize(from, size); }

/* record(ends, start) -> (places, symbols, counts, parents, leaves, old).

   For the new nodes (serial >= start) among `ends` and all that they were computed from, oldest first: their places, which
   are the serial numbers less `start`, a list of symbols, the numbers of parents, and the parents, as bytes of int64. A
   parent is its place, or, for one that is older, -1 - its index in the list `old`. `leaves` has the new nodes without
   parents. */
static PyObject *record(PyObject *module, PyObject *args) {
    PyObject *ends, *answer = NULL;
    unsigned long long start;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!K", &PyList_Type, &ends, &start)) return NULL;
    uint64_t span = serials > start ? serials - start : 0;
    value **places = PyMem_Calloc(span + 1, sizeof *places);
    pile pending = {0}, old = {0};
    int failed = !places;
    for (Py_ssize_t i = 0; !failed && i < PyList_Size(ends); i++) failed = push(&pending, (value *)PyList_GetItem(ends, i)) < 0;
    failed = failed || collect(&pending, places, start, &old) < 0;
    Py_ssize_t nodes = 0, edges = 0;
    for (uint64_t i = 0; !failed && i < span; i++) {
        if (places[i]) nodes++, edges += count_parents(places[i]);
    }
    for (Py_ssize_t i = 0; i < old.count; i++) old.nodes[i]->waits_for = (int32_t)(i + 1);
    int64_t *numbers = failed ? NULL : PyMem_Malloc((2 * nodes + edges + 1) * sizeof *numbers);
    PyObject *kinds = numbers ? PyList_New(nodes) : NULL, *older = kinds ? PyList_New(old.count) : NULL;
    PyObject *leaves = older ? PyList_New(0) : NULL;
    if (leaves) {
        int64_t *counts = numbers + nodes, *parents = counts + nodes;
        Py_ssize_t at = 0;
        for (uint64_t i = 0; i < span; i++) {
            value *node = places[i];
            if (!node) continue;
            numbers[at] = (int64_t)i;
            counts[at] = count_parents(node);
            if (!node->a) failed |= PyList_Append(leaves, (PyObject *)node) < 0;
            PyList_SetItem(kinds, at++, Py_NewRef(node->op == OTHER ? node->rare->symbol : symbols[node->op]));
            for (Py_ssize_t j = 0; j < count_parents(node); j++) {
                value *parent = parent_at(node, j);
                *parents++ = parent->serial < start ? -(int64_t)parent->waits_for : (int64_t)(parent->serial - start);
            }
        }
        for (Py_ssize_t i = 0; i < old.count; i++) PyList_SetItem(older, i, Py_NewRef((PyObject *)old.nodes[i]));
        if (!failed) {
            answer = Py_BuildValue("NONNOO", bytes_of(numbers, nodes * 8), kinds, bytes_of(numbers + nodes, nodes * 8),
                                   bytes_of(numbers + 2 * nodes, edges * 8), leaves, older);
        }
    }
    for (Py_ssize_t i = 0; i < old.count; i++) old.nodes[i]->waits_for = 0;
    Py_XDECREF(kinds);
    Py_XDECREF(older);
    Py_XDECREF(leaves);
    PyMem_Free(places);
    PyMem_Free(pending.nodes);
    PyMem_Free(old.nodes);
    PyMem_Free(numbers);
    if (!answer && !PyErr_Occurred()) PyErr_NoMemory();
    return answer;
}
