"""The router: never much slower than the best, whatever was measured; what fails is passed over for a while."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.accel.measurements import Point
from nautilus.accel.routed import BACKENDS
from nautilus.accel.router import LONGEST_PAUSE, Router, crossovers, seconds_at
from tests.accel.sample_kernels import extremes, polynomial

times = st.floats(1e-8, 10.0)


@st.composite
def points(draw: st.DrawFn) -> list[Point]:
    sizes = sorted(draw(st.sets(st.integers(1, 10**9), min_size=1, max_size=8)))
    return [Point(size=size, seconds=draw(times)) for size in sizes]


@st.composite
def tables(draw: st.DrawFn) -> dict[str, dict]:
    backends = draw(st.sets(st.sampled_from(BACKENDS), min_size=1))
    return {polynomial.name: {backend: draw(points()) for backend in sorted(backends)}}


def line(*seconds: float) -> list[Point]:
    return [Point(size=10 ** (index + 1), seconds=value) for index, value in enumerate(seconds)]


@given(tables())
def test_at_every_measured_size_the_choice_is_at_most_1_2_times_slower_than_the_best(table: dict) -> None:
    router, measured = Router(table), table[polynomial.name]
    for size in {point.size for row in measured.values() for point in row}:
        chosen = router.choose(polynomial, size, BACKENDS)
        best = min(seconds_at(row, size) for row in measured.values())
        assert chosen.measured
        assert seconds_at(measured[chosen.backend], size) <= 1.2 * best


@given(points(), st.integers(0, 10**12))
def test_interpolated_times_stay_between_their_neighbours_and_never_fall_beyond_the_ends(
    measured: list[Point], size: int
) -> None:
    found = seconds_at(measured, size)
    assert math.isfinite(found)
    left = [point.seconds for point in measured if point.size <= size]
    right = [point.seconds for point in measured if point.size >= size]
    if left and right:
        assert min(left[-1], right[0]) * 0.999 <= found <= max(left[-1], right[0]) * 1.001
    else:
        assert found >= (measured[0] if right else measured[-1]).seconds * 0.999


def test_a_disturbed_measurement_is_not_carried_on_beyond_reason() -> None:
    assert seconds_at([Point(size=999, seconds=1e-8), Point(size=1000, seconds=10.0)], 10**9) == pytest.approx(1e13)


def test_a_measured_size_has_its_measured_time() -> None:
    measured = line(1e-6, 5e-6, 1e-3)
    assert [seconds_at(measured, point.size) for point in measured] == pytest.approx([1e-6, 5e-6, 1e-3])


@pytest.mark.parametrize("size", [0, 10**9])
def test_without_measurements_the_kernels_default_runs_and_mlx_never(size: int) -> None:
    router = Router()
    assert router.rank(polynomial, size, BACKENDS) == ["numba", "numpy"]
    assert router.rank(extremes, size, BACKENDS) == ["numpy"]
    assert not router.choose(polynomial, size, BACKENDS).measured


def test_where_a_backend_is_not_there_the_next_best_is_taken() -> None:
    table = {polynomial.name: {"mlx": line(1e-9), "numba": line(1e-3), "numpy": line(1e-6)}}
    router = Router(table)
    assert router.rank(polynomial, 10, BACKENDS) == ["mlx", "numpy", "numba"]
    assert router.rank(polynomial, 10, ["numpy", "numba"]) == ["numpy", "numba"]
    assert router.choose(polynomial, 10, ["numba"]).expected_seconds["mlx"] == 1e-9


def test_float64_is_preferred_to_a_little_speed() -> None:
    nearly = {polynomial.name: {"mlx": line(0.95e-3), "numpy": line(1e-3)}}
    clearly = {polynomial.name: {"mlx": line(0.8e-3), "numpy": line(1e-3)}}
    assert Router(nearly).rank(polynomial, 10, BACKENDS)[0] == "numpy"
    assert Router(clearly).rank(polynomial, 10, BACKENDS)[0] == "mlx"


def test_what_is_measured_for_comparison_is_not_chosen() -> None:
    router = Router({polynomial.name: {"mlx": line(1e-9), "numpy": line(1e-3)}}, never=["mlx"])
    assert router.rank(polynomial, 10, BACKENDS) == ["numpy", "numba"]
    assert not router.prefers(polynomial, "mlx")
    assert not router.may_choose(polynomial, "mlx")


def test_what_was_not_measured_comes_after_what_was() -> None:
    router = Router({polynomial.name: {"numpy": line(1.0)}})
    assert router.rank(polynomial, 10, BACKENDS)[0] == "numpy"


def test_crossovers_are_the_sizes_at_which_the_best_backend_changes() -> None:
    measured = {"numpy": line(1e-6, 1e-4, 1e-2), "mlx": line(1e-4, 1.1e-4, 1e-3), "numba": line(2e-6, 1e-5, 2e-3)}
    assert crossovers(measured) == [(10, "numpy"), (100, "numba"), (1000, "mlx")]
    assert crossovers({}) == []
    router = Router({polynomial.name: measured})
    assert router.prefers(polynomial, "mlx")
    assert not Router({polynomial.name: {"numpy": line(1.0), "mlx": line(2.0)}}).prefers(polynomial, "mlx")
    assert not router.prefers(extremes, "mlx")


def test_a_backend_that_fails_is_passed_over_for_longer_and_longer_until_it_succeeds() -> None:
    router = Router({polynomial.name: {"numba": line(1e-6), "numpy": line(1e-3)}})
    error = {"numba": MemoryError("full")}

    def calls_until_tried() -> int:
        count = 0
        while router.attempts(polynomial, 10, BACKENDS)[0] != "numba":
            count += 1
        return count

    for expected in (0, 2, 4, 8):
        assert calls_until_tried() == expected
        router.succeeded(polynomial, "numpy", error)
    for _ in range(20):
        router.succeeded(polynomial, "numpy", error)
    assert calls_until_tried() == LONGEST_PAUSE
    router.succeeded(polynomial, "numba", {})
    assert router.attempts(polynomial, 10, BACKENDS)[0] == "numba"
    counts = router.counts()
    assert counts.fallbacks == {polynomial.name: {"numba": 24}}
    assert counts.calls == {polynomial.name: {"numpy": 24, "numba": 1}}
    assert counts.last_failure == {f"{polynomial.name} on numba": "MemoryError: full"}


def test_new_measurements_end_the_pauses() -> None:
    router = Router()
    router.succeeded(polynomial, "numpy", {"numba": MemoryError()})
    assert router.attempts(polynomial, 10, BACKENDS)[0] == "numpy"
    router.use({})
    assert router.attempts(polynomial, 10, BACKENDS)[0] == "numba"
