/* The extension module `_values`: the class Value, and functions on many Values at once.

   It uses Python's limited API, so one library serves every CPython from 3.11 on. */

#include "backward.h"
#include "ops.h"
#include "record.h"
#include "value.h"

static int set_label(PyObject *self, PyObject *given, void *closure) {
    (void)closure;
    if (!rare((value *)self, 0)) return -1;
    replace(&((value *)self)->rare->label, given);
    return 0;
}

/* Gives a node the symbol of an op: one of SYMBOLS, or any other. */
static int set_symbol(value *node, PyObject *symbol) {
    if (!symbol) return 0;
    for (int op = 0; op < OTHER; op++) {
        if (PyUnicode_Compare(symbol, symbols[op]) == 0) {
            node->op = op;
            return 0;
        }
    }
    if (!rare(node, 0)) return -1;
    node->op = OTHER;
    replace(&node->rare->symbol, symbol);
    return 0;
}

/* Makes room for edges, where a node may have rare parts already. */
static rare_parts *grown(value *node, Py_ssize_t count) {
    rare_parts *before = node->rare, *parts;
    node->rare = NULL;
    parts = rare(node, count);
    if (parts && before) {
        parts->label = before->label;
        parts->exact = before->exact;
        parts->symbol = before->symbol;
        PyMem_Free(before);
    }
    return parts;
}

static int value_init(PyObject *self, PyObject *args, PyObject *names) {
    static char *keywords[] = {"data", "_children", "_op", "label", NULL};
    value *node = (value *)self;
    PyObject *data, *children = NULL, *op = NULL, *label = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, names, "O|OUO", keywords, &data, &children, &op, &label)) return -1;
    if (set_number(node, data) < 0) return -1;
    if (Py_TYPE(self) == traced_type) node->traced = 1;
    if (set_symbol(node, op) < 0 || (label && set_label(self, label, NULL) < 0)) return -1;
    if (!children || node->a) return 0;
    children = PySequence_Tuple(children);
    if (!children) return -1;
    Py_ssize_t count = PyTuple_Size(children);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *child = PyTuple_GetItem(children, i);
        if (!is_value(child)) {
            PyErr_Format(PyExc_TypeError, "the parents of a Value must be Values; got %R", child);
            return Py_DECREF(children), -1;
        }
    }
    if (count > 2 && !grown(node, count - 1)) return Py_DECREF(children), -1;
    for (Py_ssize_t i = 0; i < count; i++) {
        value *parent = adopt((value *)PyTuple_GetItem(children, i));
        node->traced |= parent->traced;
        *(i == 0 ? &node->a : count == 2 ? &node->b : &node->rare->edges[i - 1].parent) = parent;
    }
    if (count > 2) node->rare->count = count - 1;
    Py_DECREF(children);
    return 0;
}

static PyObject *value_new(PyTypeObject *type, PyObject *args, PyObject *names) {
    (void)args, (void)names;
    if (type == value_type) return (PyObject *)new_node(0, 0, LEAF);
    value *node = (value *)PyType_GenericAlloc(type, 0); /* a subclass may have a __dict__ */
    if (!node) return NULL;
    node->op = LEAF;
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

/* watch(callback or None): while a function is traced, what its Values are asked for goes to callback(node, name). Its
   result is the answer, unless that is NotImplemented. */
static PyObject *watcher;

static PyObject *watch(PyObject *module, PyObject *callback) {
    (void)module;
    replace(&watcher, callback == Py_None ? NULL : callback);
    Py_RETURN_NONE;
}

/* The callback's answer, NULL with an error set, or NULL without one: the node answers. */
static PyObject *watched(PyObject *self, const char *name) {
    if (!watcher) return NULL;
    PyObject *answer = PyObject_CallFunction(watcher, "Os", self, name);
    if (answer != Py_NotImplemented) return answer;
    Py_DECREF(answer);
    return NULL;
}

static PyObject *value_float(PyObject *self) {
    PyObject *answer = watched(self, "float");
    return answer || PyErr_Occurred() ? answer : PyFloat_FromDouble(((value *)self)->data);
}

/* -- attributes ------------------------------------------------------------------------------------------------------ */

static PyObject *get_data(PyObject *self, void *closure) {
    PyObject *answer = watched(self, "data");
    (void)closure;
    return answer || PyErr_Occurred() ? answer : get_number((value *)self);
}

static int set_data(PyObject *self, PyObject *given, void *closure) {
    (void)closure;
    if (!given) return PyErr_SetString(PyExc_AttributeError, "data of a Value cannot be deleted"), -1;
    return set_number((value *)self, given);
}

static PyObject *get_grad(PyObject *self, void *closure) {
    PyObject *answer = watched(self, "grad");
    (void)closure;
    return answer || PyErr_Occurred() ? answer : PyFloat_FromDouble(((value *)self)->grad);
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
    rare_parts *parts = ((value *)self)->rare;
    (void)closure;
    return Py_NewRef(parts && parts->label ? parts->label : symbols[LEAF]);
}

static PyObject *get_op(PyObject *self, void *closure) {
    value *node = (value *)self;
    (void)closure;
    return Py_NewRef(node->op == OTHER ? node->rare->symbol : symbols[node->op]);
}

static PyObject *get_serial(PyObject *self, void *closure) {
    return (void)closure, PyLong_FromUnsignedLongLong(((value *)self)->serial);
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
    {"_op", get_op, NULL, NULL, NULL},           {"_serial", get_serial, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef value_members[] = {
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
    return (PyObject *)new_node(1, NAN, LEAF);
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
        *(i == 0 ? &node->by_a : node->b ? &node->by_b : &node->rare->edges[i - 1].by) = slope;
    }
    return PyErr_Occurred() ? NULL : Py_NewRef((PyObject *)node);
}

/* Visits a list of Values and a writable buffer of as many float64. */
static PyObject *with_numbers(PyObject *args, void (*visit)(value *, double *)) {
    PyObject *values;
    Py_buffer numbers;
    if (!PyArg_ParseTuple(args, "O!w*", &PyList_Type, &values, &numbers)) return NULL;
    Py_ssize_t count = PyList_Size(values);
    int fits = numbers.len == count * (Py_ssize_t)sizeof(double);
    for (Py_ssize_t i = 0; fits && i < count; i++) {
        PyObject *node = PyList_GetItem(values, i);
        fits = is_value(node);
        if (fits) visit((value *)node, (double *)numbers.buf + i);
    }
    PyBuffer_Release(&numbers);
    if (!fits) return PyErr_Format(PyExc_ValueError, "a list of %zd Values and as many float64 are needed", count);
    Py_RETURN_NONE;
}

static void get_one(value *node, double *number) { *number = node->data; }
static void add_one(value *node, double *number) { node->grad += *number; }
static void take_one(value *node, double *number) { *number = node->grad, node->grad = 0; }

static void put_one(value *node, double *number) {
    node->data = *number;
    node->whole = 0;
}

/* read: the numbers of the Values into the buffer; write: the other way round; add_grads: the buffer to the gradients;
   take_grads: the gradients into the buffer, and 0 in their place. */
static PyObject *read_numbers(PyObject *module, PyObject *args) { return (void)module, with_numbers(args, get_one); }
static PyObject *write_numbers(PyObject *module, PyObject *args) { return (void)module, with_numbers(args, put_one); }
static PyObject *add_grads(PyObject *module, PyObject *args) { return (void)module, with_numbers(args, add_one); }
static PyObject *take_grads(PyObject *module, PyObject *args) { return (void)module, with_numbers(args, take_one); }

/* next_serial() -> the serial number of the next node. */
static PyObject *next_serial(PyObject *module, PyObject *none) {
    (void)module, (void)none;
    return PyLong_FromUnsignedLongLong(serials);
}

static PyMethodDef functions[] = {
    {"read", read_numbers, METH_VARARGS, NULL},
    {"write", write_numbers, METH_VARARGS, NULL},
    {"add_grads", add_grads, METH_VARARGS, NULL},
    {"take_grads", take_grads, METH_VARARGS, NULL},
    {"next_serial", next_serial, METH_NOARGS, NULL},
    {"record", record, METH_VARARGS, NULL},
    {"made_again", made_again, METH_VARARGS, NULL},
    {"make_value", make_value, METH_VARARGS, NULL},
    {"set_traced", set_traced, METH_O, NULL},
    {"watch", watch, METH_O, NULL},
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
