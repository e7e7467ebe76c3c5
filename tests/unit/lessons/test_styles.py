"""Right answers in every style: float32 or float64, lists, tuples, dictionaries, arrays, tensors, in place or not."""

import copy

import numpy as np
import pytest
from tests.unit.lessons.mistakes import answers

from backlight import Value, torchlike
from backlight.lessons.exercises import EXERCISES, grade
from backlight.lessons.exercises.exercise import call

BY_VALUES = {"1.6"}  # the check computes with Values
LARGE = {"3.2", "4.3"}  # hundreds of thousands of numbers
IDS = [id_ for id_ in EXERCISES if id_ not in {"3.1", "6.2", "11.3"}]  # a trained network is one style


def numbers(part):
    return part if isinstance(part, str) else np.asarray(part)


def as_list(part):
    return np.asarray(part).tolist()


def as_tuple(part):
    return tuple(part.tolist()) if np.ndim(part) else part.item()


def as_torch(part):
    torch = pytest.importorskip("torch")
    return torch.tensor(np.asarray(part))


def as_torch_with_grad(part):
    tensor = as_torch(part)
    return tensor.requires_grad_() if tensor.is_floating_point() else tensor


def as_torchlike(part):
    return torchlike.tensor(np.asarray(part))


def as_values(part):
    return Value(float(part)) if np.ndim(part) == 0 else [as_values(one) for one in part]


def as_objects(part):
    values = np.empty(np.shape(part), object)
    for at in np.ndindex(values.shape):
        values[at] = np.asarray(part)[at].item()
    return values


STYLES = {
    one.__name__: one
    for one in (numbers, as_list, as_tuple, as_torch, as_torch_with_grad, as_torchlike, as_values, as_objects)
}


def in_style(result, style):
    if isinstance(result, dict):
        return {name: in_style(part, style) for name, part in result.items()}
    if isinstance(result, tuple):
        return tuple(in_style(part, style) for part in result)
    if isinstance(result, list) and result and isinstance(result[0], list | str):  # names of ids, words
        return [in_style(part, style) for part in result] if isinstance(result[0], list) else result
    return style(np.asarray(result)) if not isinstance(result, str) else result


def single(value):
    """Arrays of floats, also inside, in float32."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(np.float32)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return type(value)(*map(single, value))
    if isinstance(value, list | tuple):
        return type(value)(map(single, value))
    if isinstance(value, dict):
        return {name: single(one) for name, one in value.items()}
    return value


def rounded(result):
    if isinstance(result, dict):
        return {name: rounded(part) for name, part in result.items()}
    if hasattr(result, "_asdict"):
        return type(result)(*map(rounded, result))
    if isinstance(result, list | tuple):
        return type(result)(rounded(part) for part in result)
    return np.float32(result) if np.asarray(result).dtype.kind == "f" else result


def answer_to(id_, style, dtype, container=None):
    right = getattr(answers, EXERCISES[id_].answer)

    def answer(**case):
        result = call(right, case if dtype == "float64" else single(case))
        result = result if dtype == "float64" else rounded(result)
        made = in_style(result, style)
        return container(made) if container else made

    return answer


@pytest.mark.parametrize(
    ("style", "dtype"),
    [(style, "float32") for style in STYLES] + [(style, "float64") for style in ("as_list", "as_torch")],
)
def test_every_style_is_right(style, dtype):
    refused = []
    for id_ in IDS:
        if id_ in BY_VALUES or (id_ in LARGE and style not in {"numbers", "as_torch_with_grad"}):
            continue
        verdict = grade(EXERCISES[id_], answer_to(id_, STYLES[style], dtype))
        refused += [] if verdict.right else [str(verdict)]
    assert refused == []


@pytest.mark.parametrize("container", [list, tuple, lambda parts: {f"part {i}": one for i, one in enumerate(parts)}])
def test_every_container_of_parts_is_right(container):
    for exercise in EXERCISES.values():
        if exercise.parts:
            verdict = grade(exercise, answer_to(exercise.id, numbers, "float64", container))
            assert verdict.right, str(verdict)


def test_a_list_for_a_dictionary_is_read_in_the_order_of_the_task():
    assert grade(EXERCISES["1.4"], lambda nodes: list(answers.walk_back(nodes).values())).right
    assert grade(EXERCISES["4.1"], lambda zero: list(answers.first_moves(zero).values())).right
    assert grade(
        EXERCISES["3.2"],
        lambda **case: dict(zip(("C", "W1", "b1", "W2", "b2"), answers.even_start(**case), strict=True)),
    ).right
    assert grade(EXERCISES["1.1"], lambda a, b, c: as_torch(answers.gradient_by_formula(a, b, c))).right


def test_inputs_may_be_changed():
    for id_ in set(IDS) - BY_VALUES - {"2.2"}:  # there the list must stay as it is

        def spoils(_name=EXERCISES[id_].answer, **case):
            result = copy.deepcopy(call(getattr(answers, _name), case))
            for value in case.values():
                if isinstance(value, np.ndarray):
                    value[...] = 0
                elif isinstance(value, list):
                    value.clear()
            return result

        assert grade(EXERCISES[id_], spoils).right, id_


def test_the_solutions_pass_in_float32():
    """The package's own solutions, fed float32: nobody is told to search for a mistake that is not there."""
    for id_ in IDS:
        solution = EXERCISES[id_].solution
        if id_ not in BY_VALUES:
            verdict = grade(EXERCISES[id_], lambda solution=solution, **case: rounded(call(solution, single(case))))
            assert verdict.right, str(verdict)


@pytest.mark.parametrize("id_", list(EXERCISES))
def test_the_stub_takes_what_the_task_says(id_):
    exercise = EXERCISES[id_]
    arguments = ", ".join(exercise.inputs()[0])
    assert f"{exercise.answer}({arguments})" in " ".join(exercise.task.split())
