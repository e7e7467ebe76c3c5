"""Each case builds and takes two steps, with its fault and without; what it would be named by is written down."""

import math

import pytest
import torch
from tests.faults.public.case import FOLDERS, HERE, PARTS, SET_ASIDE, Case, cases
from tests.faults.public.running import Outcome, apart, quality_of
from tests.faults.public.scoring import as_markdown, verdict

from backlight.health.checks import TEXTS

ALL = tuple(cases(*FOLDERS, SET_ASIDE))


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("case", [one for one in ALL if not one.needs], ids=lambda case: case.name)
def test_a_case_builds_and_takes_two_steps(case: Case):
    """Cases that need transformers, lightning or the like are only run by `python -m tests.faults.public`."""
    for faulty in (True, False) if case.faulty else (False,):
        found = (apart if case.alone else _called)(quality_of, case, faulty=faulty, seed=0, steps=2)
        assert isinstance(found, tuple)
        assert isinstance(found[0], float)


def _called(function, case, **arguments):
    return function(case, **arguments)


def test_names_are_not_given_twice():
    assert len({case.name for case in ALL}) == len(ALL)


@pytest.mark.parametrize("case", [one for one in ALL if one.faulty], ids=lambda case: case.name)
def test_a_fault_has_a_source_and_a_finding_that_would_name_it(case: Case):
    assert case.names
    assert case.names <= set(TEXTS) or case.says or case.words
    assert case.folder == "situations" or all(len(one.split("#")) == 2 and "/" in one for one in case.reports)
    assert case.folder == "situations" or (case.reports and case.part in PARTS)


def test_faults_and_healthy_runs_are_set_aside():
    aside = [one.faulty for one in ALL if one.folder == SET_ASIDE]
    assert (sum(aside), len(aside) - sum(aside)) == (8, 8)


def test_nothing_is_read_from_the_cases_that_are_set_aside():
    for path in HERE.rglob("*.py"):
        if SET_ASIDE not in path.parts:
            assert f"public.{SET_ASIDE} " not in path.read_text(encoding="utf-8")
            assert f"public.{SET_ASIDE}." not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("found", "naming", "faulty", "expected"),
    [
        ([], [], True, "silent"),
        (["cause:serious"], ["cause"], True, "named"),
        (["cause:serious", "other:fatal"], ["cause"], True, "named"),
        (["other:serious"], [], True, "wrong cause"),
        (["follows:serious"], [], True, "not named"),
        (["not-learning:serious"], [], True, "not named"),
        (["other:note"], [], True, "not named"),
        ([], [], False, "well"),
        (["other:note"], [], False, "well"),
        (["follows:serious"], [], False, "well"),
        (["not-learning:serious"], [], False, "false alarm"),
    ],
)
def test_verdicts(found: list[str], naming: list[str], faulty: bool, expected: str):
    case = Case(
        name="a",
        make=lambda _: None,
        what="it is.",
        faulty=True,
        names=frozenset({"cause"}),
        also=frozenset({"follows"}),
    )
    told = Outcome(case="a", faulty=faulty, seed=0, watched=found, naming_watched=naming, losses=(1.0, math.nan))
    assert verdict(case, told) == expected
    assert verdict(case, Outcome(case="a", faulty=faulty, seed=0, crash="dead")) == "crash"
    assert expected in as_markdown([(case, told)], seeds=1)
