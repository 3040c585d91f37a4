"""Order and cores."""

import os

import pytest

from finser.errors import FinserError
from finser.workers import cores, map_in_order


def where(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_the_items(processes):
    results = list(map_in_order(where, iter(range(30)), processes=processes))
    assert [square for square, _ in results] == [number * number for number in range(30)]
    assert len({pid for _, pid in results}) <= processes
    assert (os.getpid() in {pid for _, pid in results}) == (processes == 1)


def fail_at_seven(number: int) -> int:
    if number == 7:
        raise FinserError("seven", where="here")
    return number


def test_an_error_in_a_worker_reaches_the_caller():
    with pytest.raises(FinserError, match="^here: seven$"):
        list(map_in_order(fail_at_seven, range(20), processes=2))


def test_cores_come_from_the_rule(monkeypatch):
    monkeypatch.setenv("FINSER_CORES", "3")
    assert cores() == 3
    monkeypatch.setenv("FINSER_CORES", "many")
    with pytest.raises(FinserError, match="FINSER_CORES"):
        cores()
