"""Rate, places and windows, with a clock of the test's own."""

import pytest

from finser.errors import FinserError
from finser.serve.limits import CLIENTS, Limits, Rate, Slots, check_windows


def test_a_minutes_requests_at_once_and_then_evenly():
    now = [0.0]
    rate = Rate(6, lambda: now[0])
    assert [rate.wait("a") for _ in range(6)] == [0] * 6
    assert rate.wait("a") == pytest.approx(10) and rate.wait("b") == 0, "another client has its own"
    now[0] = 9.9
    assert rate.wait("a") == pytest.approx(0.1)
    now[0] = 10.0
    assert rate.wait("a") == 0 and rate.wait("a") == pytest.approx(10)
    now[0] = 1e6
    assert [bool(rate.wait("a")) for _ in range(7)] == [False] * 6 + [True], "no more than a minute's are saved up"


def test_clients_that_are_remembered_are_bounded():
    rate = Rate(1, lambda: 0.0)
    for number in range(2 * CLIENTS):
        rate.wait(str(number))
    assert len(rate.buckets) == CLIENTS


def test_a_place_is_given_back_after_an_error():
    slots = Slots(1)
    with pytest.raises(ZeroDivisionError), slots.one():
        assert slots.full
        raise ZeroDivisionError
    assert not slots.full


@pytest.mark.parametrize(("window", "hop"), [(3, 1), (0.1, 0.1), (60, 6), (60, 60)])
def test_windows_within_the_limits(window, hop):
    check_windows(window, hop, Limits())


@pytest.mark.parametrize(
    ("window", "hop"), [(0, 0), (61, 61), (3, 0.1), (3, 4), (-1, -1), (float("nan"), 1), (1, float("nan")), (0.05, 0.05)]
)
def test_windows_that_cost_too_much(window, hop):
    with pytest.raises(FinserError, match="window|hop"):
        check_windows(window, hop, Limits())


def test_samples_are_bounded_at_any_rate():
    limits = Limits(seconds=10)
    assert (limits.samples(8000), limits.samples(48_000), limits.samples(192_000)) == (80_000, 480_000, 480_000)


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"megabytes": -1}, {"running": 0}, {"per_minute": float("nan")}, {"waiting": -1}])
def test_limits_that_let_nothing_through(wrong):
    with pytest.raises(FinserError, match="no limit"):
        Limits(**wrong)
