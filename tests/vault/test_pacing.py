"""The pacer, on a clock of its own: how many it lets through, and what it does about a 429."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secretscan.errors import Cancelled
from secretscan.events import Cancellation
from secretscan.vault.pacing import READS, WRITES, Pacer, Rate


class Ticks:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds


def most_in_ten_seconds(moments: list[float]) -> int:
    return max(at - bisect_left(moments, moment - 10 + 1e-6) + 1 for at, moment in enumerate(moments))


@settings(max_examples=60, deadline=None)
@given(
    rate=st.builds(Rate, st.floats(0.5, 50), st.integers(1, 40)),
    idle=st.lists(st.floats(0, 5), min_size=1, max_size=20),
    refused=st.sets(st.integers(0, 199), max_size=4),
)
def test_no_ten_seconds_hold_more_than_burst_and_rate_allow(rate, idle, refused):
    clock = Ticks()
    pacer = Pacer(rate, clock)
    moments = []
    for number in range(200):
        clock.now += idle[number % len(idle)] if number % 7 == 0 else 0
        pacer.acquire()
        moments.append(clock.now)
        if number in refused:
            pacer.throttled(None)
        else:
            pacer.succeeded()
    assert most_in_ten_seconds(moments) <= rate.burst + 10 * rate.per_second + 1


def test_a_long_run_of_writes_is_below_the_services_limit_and_near_its_own():
    clock = Ticks()
    pacer = Pacer(WRITES, clock)
    moments = []
    for _ in range(2000):
        pacer.acquire()
        moments.append(clock.now)
    assert most_in_ten_seconds(moments) < 300
    assert 2000 / (moments[-1] - moments[0]) == pytest.approx(WRITES.per_second, rel=0.05)
    assert READS.burst + 10 * READS.per_second < 4000


def test_a_429_stops_everybody_halves_once_and_is_forgotten():
    clock = Ticks()
    pacer = Pacer(WRITES, clock)
    pacer.acquire()
    start = clock.now
    assert pacer.throttled(None) == 10
    assert pacer.throttled(None) == 10  # another thread, the same moment
    assert pacer.per_second == WRITES.per_second / 2
    assert pacer.throttled(25) == 25
    pacer.acquire()
    assert clock.now == start + 25
    first = clock.now
    pacer.acquire()
    assert clock.now > first  # no burst after the pause
    for _ in range(200):
        pacer.succeeded()
    assert pacer.per_second == WRITES.per_second


def test_a_pause_has_an_end_whatever_the_header_says():
    pacer = Pacer(WRITES, Ticks())
    assert pacer.throttled(1e9) == 60


def test_waiting_ends_when_asked():
    cancellation = Cancellation()

    class Impatient(Ticks):
        def sleep(self, seconds: float, /) -> None:
            super().sleep(seconds)
            cancellation.cancel()

    clock = Impatient()
    pacer = Pacer(WRITES, clock, cancellation)
    pacer.throttled(None)
    with pytest.raises(Cancelled):
        pacer.acquire()
    assert clock.now < 1001
