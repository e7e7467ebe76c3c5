/* The extension module `_values`: the class Value, and functions on many Values at once.

   It uses Python's limited API, so one library serves every CPython from 3.11 on. */

#include "backward.h"
#include "ops.h"
#include "value.h"

static void replace(PyObject **place, PyObject *by) {
    PyObject *before = *place;
    *place = Py_XNewRef(by);
    Py_XDECREF(before);
}

static int value_init(PyObject *self, PyObject *args, PyObject *names) {
    static char *keywords[] = {"data", "_children", "_op", "label", NULL};
    value *node = (value *)self;
    PyObject *data, *children = NULL, *op = NULL, *label = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, names, "O|OUO", keywords, &data, &children, &op, &label)) return -1;
    if (set_number(node, data) < 0) return -1;
    if (op) replace(&node->op, op);
    if (label) replace(&node->label, label);
    if (!children || node->a) return 0;
    children = PySequence_Tuple(children);
    if (!children) return -1;
    Py_ssize_t count = PyTuple_Size(children);
    PyObject *given[2] = {NULL, NULL};
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *child = PyTuple_GetItem(children, i);
        if (!is_value(child)) {
            PyErr_Format(PyExc_TypeError, "the parents of a Value must be Values; got %R", child);
            Py_DECREF(children);
            return -1;
        }
        if (i < 2) given[i] = child;
    }
    int failed = 0;
    if (count) node->a = adopt((value *)given[0]);
    if (count == 2) node->b = adopt((value *)given[1]);
    if (count > 2) {
        PyObject **others = PyMem_Malloc((count - 1) * sizeof *others);
        for (Py_ssize_t i = 1; others && i < count; i++) others[i - 1] = PyTuple_GetItem(children, i);
        failed = others ? add_edges(node, others, count - 1) : -1;
        PyMem_Free(others);
    }
    Py_DECREF(children);
    return failed;
}

static PyObject *value_new(PyTypeObject *type, PyObject *args, PyObject *names) {
    (void)args, (void)names;
    value *node = (value *)PyType_GenericAlloc(type, 0);
    if (!node) return NULL;
    node->op = Py_NewRef(symbols[LEAF]);
    node->serial = serials++;
    return (PyObject *)node;
}

static PyObject *value_repr(PyObject *self) {
    PyObject *data = PyObject_GetAttrString(self, "data"), *grad = data ? PyObject_GetAttrString(self, "grad") : NULL;
    PyObject *shown = grad ? PyUnicode_FromFormat("Value(data=%S, grad=%S)", data, grad) : NULL;
    Py_XDECREF(data);
    Py_XDECREF(grad);
    return shown;
}

static PyObject *value_float(PyObject *self) { return PyFloat_FromDouble(((value *)self)->data); }

/* -- attributes ------------------------------------------------------------------------------------------------------ */

static PyObject *get_data(PyObject *self, void *closure) { return (void)closure, get_number((value *)self); }

static int set_data(PyObject *self, PyObject *given, void *closure) {
    (void)closure;
    if (!given) return PyErr_SetString(PyExc_AttributeError, "data of a Value cannot be deleted"), -1;
    return set_number((value *)self, given);
}

static PyObject *get_grad(PyObject *self, void *closure) {
    return (void)closure, PyFloat_FromDouble(((value *)self)->grad);
}

static int set_grad(PyObject *self, PyObject *given, void *closure) {
    (void)closure;
    if (!given) return PyErr_SetString(PyExc_AttributeError, "grad of a Value cannot be deleted"), -1;
    value *number = as_value(given); /* converts and checks */
    if (!number) return -1;
    ((value *)self)->grad = number->data;
    Py_DECREF(number);
    return 0;
}

static PyObject *get_label(PyObject *self, void *closure) {
    value *node = (value *)self;
    (void)closure;
    return Py_NewRef(node->label ? node->label : symbols[LEAF]);
}

static int set_label(PyObject *self, PyObject *given, void *closure) {
    (void)closure;
    replace(&((value *)self)->label, given);
    return 0;
}

static PyObject *get_prev(PyObject *self, void *closure) {
    value *node = (value *)self;
    Py_ssize_t count = count_parents(node);
    PyObject *parents = PyTuple_New(count);
    (void)closure;
    for (Py_ssize_t i = 0; parents && i < count; i++) PyTuple_SetItem(parents, i, Py_NewRef((PyObject *)parent_at(node, i)));
    return parents;
}

static PyObject *value_edges(PyObject *self, PyObject *none) {
    value *node = (value *)self;
    Py_ssize_t count = count_parents(node);
    PyObject *edges = PyTuple_New(count);
    (void)none;
    for (Py_ssize_t i = 0; edges && i < count; i++) {
        PyObject *edge = Py_BuildValue("(Od)", parent_at(node, i), by_at(node, i));
        if (!edge) return Py_DECREF(edges), NULL;
        PyTuple_SetItem(edges, i, edge);
    }
    return edges;
}

static PyObject *value_zero_grad(PyObject *self, PyObject *none) {
    (void)none;
    ((value *)self)->grad = 0;
    Py_RETURN_NONE;
}

static PyMethodDef value_methods[] = {
    {"exp", value_exp, METH_NOARGS, NULL},         {"log", value_log, METH_NOARGS, NULL},
    {"tanh", value_tanh, METH_NOARGS, NULL},       {"relu", value_relu, METH_NOARGS, NULL},
    {"sigmoid", value_sigmoid, METH_NOARGS, NULL}, {"sin", value_sin, METH_NOARGS, NULL},
    {"cos", value_cos, METH_NOARGS, NULL},         {"backward", value_backward, METH_NOARGS, NULL},
    {"edges", value_edges, METH_NOARGS, NULL},     {"zero_grad", value_zero_grad, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef value_attributes[] = {
    {"data", get_data, set_data, NULL, NULL},    {"grad", get_grad, set_grad, NULL, NULL},
    {"label", get_label, set_label, NULL, NULL}, {"_prev", get_prev, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef value_members[] = {
    {"_op", T_OBJECT, offsetof(value, op), READONLY, NULL},
    {"_serial", T_LONGLONG, offsetof(value, serial), READONLY, NULL},
    {"_users", T_INT, offsetof(value, users), READONLY, NULL},
    {"_waits_for", T_INT, offsetof(value, waits_for), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(value, weak), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot value_slots[] = {
    {Py_tp_new, value_new},         {Py_tp_init, value_init},          {Py_tp_dealloc, value_dealloc},
    {Py_tp_repr, value_repr},       {Py_tp_methods, value_methods},    {Py_tp_getset, value_attributes},
    {Py_tp_members, value_members}, {Py_nb_add, value_add},            {Py_nb_subtract, value_sub},
    {Py_nb_multiply, value_mul},    {Py_nb_true_divide, value_div},    {Py_nb_power, value_pow},
    {Py_nb_negative, value_neg},    {Py_nb_float, value_float},        {0, NULL},
};

static PyType_Spec value_spec = {
    .name = "backlight.autograd.Value",
    .basicsize = sizeof(value),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = value_slots,
};

/* -- the module ------------------------------------------------------------------------------------------------------ */

/* make_value(Node, rule, number) -> Value. See `value.h` for the functions. */
static PyObject *make_value(PyObject *module, PyObject *args) {
    PyObject *base, *rule, *number;
    (void)module;
    if (!PyArg_ParseTuple(args, "OOO", &base, &rule, &number)) return NULL;
    PyObject *bases = PyTuple_Pack(1, base);
    PyObject *type = bases ? PyType_FromSpecWithBases(&value_spec, bases) : NULL;
    Py_XDECREF(bases);
    if (!type) return NULL;
    value_type = (PyTypeObject *)Py_NewRef(type);
    ask_rule = Py_NewRef(rule);
    ask_number = Py_NewRef(number);
    return type;
}

/* set_traced(Traced): the subclass of nodes whose number is unknown. */
static PyObject *set_traced(PyObject *module, PyObject *type) {
    (void)module;
    traced_type = (PyTypeObject *)Py_NewRef(type);
    Py_RETURN_NONE;
}

/* unknown() -> a leaf whose number is unknown; every node computed from it is of the class Traced. */
static PyObject *unknown(PyObject *module, PyObject *none) {
    (void)module, (void)none;
    return (PyObject *)new_node(1, NAN, symbols[LEAF]);
}

/* made_again(node, grad, derivatives) -> node, for copies. */
static PyObject *made_again(PyObject *module, PyObject *args) {
    value *node;
    double grad;
    PyObject *by;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!dO!", value_type, &node, &grad, &PyTuple_Type, &by)) return NULL;
    node->grad = grad;
    for (Py_ssize_t i = 0; i < count_parents(node) && i < PyTuple_Size(by); i++) {
        double slope = PyFloat_AsDouble(PyTuple_GetItem(by, i));
        *(i == 0 ? &node->by_a : node->b ? &node->by_b : &node->more->edges[i - 1].by) = slope;
    }
    return PyErr_Occurred() ? NULL : Py_NewRef((PyObject *)node);
}

static PyMethodDef functions[] = {
    {"made_again", made_again, METH_VARARGS, NULL},
    {"make_value", make_value, METH_VARARGS, NULL},
    {"set_traced", set_traced, METH_O, NULL},
    {"unknown", unknown, METH_NOARGS, NULL},
    {"dot", dot, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "_values", .m_size = -1, .m_methods = functions};

PyMODINIT_FUNC PyInit__values(void) {
    PyObject *module = PyModule_Create(&definition);
    if (!module) return NULL;
    for (int op = 0; op < OPS; op++) {
        symbols[op] = PyUnicode_InternFromString(SYMBOLS[op]);
        if (!symbols[op]) return NULL;
    }
    if (PyModule_AddIntConstant(module, "FINGERPRINT", FINGERPRINT) < 0) return NULL;
    return module;
}
