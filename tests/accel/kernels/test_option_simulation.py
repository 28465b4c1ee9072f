"""Simulated prices come to the closed forms, on every backend, and their standard errors are what they say."""

import json
import math

import numpy as np
import pytest

from nautilus.accel.kernels.option_simulation import Barrier, Payoff, option_by_simulation
from nautilus.errors import Invalid
from tests.accel.kernels.option_formulas import barrier, geometric_asian, plain

BACKENDS = ("numpy", "numba", "mlx")
MARKET = (100.0, 100.0, 0.05, 0.02, 0.25, 0.75)


def simulated(backend, seed, pairs, steps, *market, is_call, payoff=0, kind=0, level=0.0, continuous=False):
    arguments = (seed, pairs, steps, *market, is_call, int(payoff), int(kind), level, continuous)
    return option_by_simulation.run(backend, option_by_simulation.prepare(*arguments))


def assert_near(found, expected, deviations=4.5):
    assert abs(found.price - expected) <= deviations * found.standard_error + 2e-6 * expected
    assert found.standard_error < 0.1 * max(expected, 1.0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("is_call", [True, False])
def test_a_european_option_costs_what_black_and_scholes_say(backend, is_call):
    assert_near(simulated(backend, 1, 100_000, 1, *MARKET, is_call=is_call), plain(*MARKET, is_call))
    assert_near(simulated(backend, 2, 20_000, 7, *MARKET, is_call=is_call), plain(*MARKET, is_call))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("is_call", [True, False])
def test_a_geometric_asian_option_costs_what_its_closed_form_says(backend, is_call):
    found = simulated(backend, 3, 50_000, 12, *MARKET, is_call=is_call, payoff=Payoff.GEOMETRIC_ASIAN)
    assert_near(found, geometric_asian(*MARKET, is_call, 12))


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_arithmetic_asian_option_costs_what_levy_found(backend, shared_data):
    tables = json.loads((shared_data / "options_refs/quantlib_tables.json").read_text())["tables"]
    rows = tables["asianoptions_testMCDiscreteArithmeticAveragePrice_DiscreteAverageData"]
    (row,) = [one for one in rows if one[5] == "1.0/12.0" and one[7] == "12"]  # each month of a year
    found = simulated(
        backend, 4, 100_000, 12, 90.0, 87.0, 0.025, 0.06, 0.13, 1.0, is_call=False, payoff=Payoff.ARITHMETIC_ASIAN
    )
    assert_near(found, float(row[-1]))


def test_the_closed_form_for_barriers_is_haugs_table(shared_data):
    tables = json.loads((shared_data / "options_refs/quantlib_tables.json").read_text())["tables"]
    names = {"DownOut": "down_and_out", "UpOut": "up_and_out", "DownIn": "down_and_in", "UpIn": "up_and_in"}
    compared = 0
    for kind, level, rebate, option, style, *numbers, expected, _ in tables[
        "barrieroption_testHaugValues_NewBarrierOptionData"
    ]:
        strike, spot, dividend_yield, rate, expiry, volatility = map(float, numbers)
        if style != "european" or float(level) == spot:
            continue
        found = barrier(
            names[kind.partition("::")[2]],
            float(level),
            float(rebate),
            spot,
            strike,
            rate,
            dividend_yield,
            volatility,
            expiry,
            option == "Option::Call",
        )
        assert found == pytest.approx(float(expected), abs=1e-4)
        compared += 1
    assert compared >= 40


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("kind", list(Barrier)[1:])
def test_a_barrier_watched_all_the_time_needs_few_steps(backend, kind, is_call):
    level = 120.0 if kind.name.startswith("UP") else 85.0
    found = simulated(backend, 5, 60_000, 3, *MARKET, is_call=is_call, kind=kind, level=level, continuous=True)
    assert_near(found, barrier(kind.name.lower(), level, 0.0, *MARKET, is_call))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_barrier_watched_at_the_steps_ends_fewer_options_the_fewer_they_are(backend):
    terms = {"is_call": True, "kind": Barrier.DOWN_AND_OUT, "level": 90.0}
    steps = {count: simulated(backend, 6, 40_000, count, *MARKET, **terms) for count in (1, 4, 64)}
    always = barrier("down_and_out", 90.0, 0.0, *MARKET, True)
    assert steps[1].price > steps[4].price > steps[64].price > always
    # Broadie, Glasserman and Kou 1997: as if the barrier lay further away by 0.5826 deviations of a step
    shifted = 90.0 * math.exp(-0.5826 * 0.25 * math.sqrt(0.75 / 64))
    assert_near(steps[64], barrier("down_and_out", shifted, 0.0, *MARKET, True), 5.0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("continuous", [True, False])
def test_a_barrier_that_is_passed_already(backend, continuous):
    terms = {"is_call": True, "level": 110.0, "continuous": continuous}
    out = simulated(backend, 7, 500, 4, 130.0, *MARKET[1:4], 0.01, 0.1, kind=Barrier.UP_AND_OUT, **terms)
    begun = simulated(backend, 7, 500, 4, 130.0, *MARKET[1:4], 0.01, 0.1, kind=Barrier.UP_AND_IN, **terms)
    assert out == (0.0, 0.0)
    assert begun.price == pytest.approx(plain(130.0, *MARKET[1:4], 0.01, 0.1, True), abs=0.05)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("payoff", list(Payoff))
def test_without_volatility_there_is_no_error(backend, payoff):
    found = simulated(
        backend,
        8,
        300,
        5,
        100.0,
        90.0,
        0.0,
        0.0,
        0.0,
        1.0,
        is_call=True,
        payoff=payoff,
        kind=1,
        level=101.0,
        continuous=True,
    )
    assert found == pytest.approx((10.0, 0.0), abs=1e-5)


@pytest.mark.parametrize("payoff", list(Payoff))
@pytest.mark.parametrize("kind", list(Barrier))
@pytest.mark.parametrize("continuous", [True, False])
def test_numpy_and_numba_draw_the_same_paths(payoff, kind, continuous):
    level = 115.0 if kind.name.startswith("UP") else 90.0
    terms = {"is_call": False, "payoff": payoff, "kind": kind, "level": level, "continuous": continuous}
    one, other = (simulated(backend, 9, 3_001, 100, *MARKET, **terms) for backend in ("numpy", "numba"))
    assert other == pytest.approx(one, rel=option_by_simulation.relative_error)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_standard_error_is_the_spread_of_many_simulations(backend):
    found = [
        simulated(backend, seed, 400, 4, *MARKET, is_call=True, payoff=Payoff.ARITHMETIC_ASIAN) for seed in range(300)
    ]
    spread = np.std([one.price for one in found], ddof=1)
    stated = np.mean([one.standard_error for one in found])
    assert spread == pytest.approx(stated, rel=0.15)  # of 300 the spread itself errs by 4%
    assert np.mean([one.price for one in found]) == pytest.approx(
        simulated("numba", 999, 400_000, 4, *MARKET, is_call=True, payoff=Payoff.ARITHMETIC_ASIAN).price, rel=0.01
    )


def test_mirrored_paths_beat_as_many_independent_ones():
    found = simulated("numba", 10, 50_000, 1, *MARKET, is_call=True)
    normals = np.random.default_rng(10).standard_normal(100_000)
    spot, strike, rate, dividend_yield, volatility, expiry = MARKET
    last = spot * np.exp(
        (rate - dividend_yield - volatility**2 / 2) * expiry + volatility * math.sqrt(expiry) * normals
    )
    independent = np.std(math.exp(-rate * expiry) * np.maximum(last - strike, 0.0)) / math.sqrt(100_000)
    assert found.standard_error < 0.8 * independent


@pytest.mark.parametrize("backend", BACKENDS)
def test_blocks_of_paths_are_added_up_without_a_seam(backend, monkeypatch):
    module = "nautilus.accel.kernels.option_simulation"
    whole = simulated(backend, 11, 5_000, 10, *MARKET, is_call=True)
    monkeypatch.setattr(f"{module}.BLOCK", 999)
    monkeypatch.setattr(f"{module}.DEVICE_BLOCK", 999)
    parts = simulated(backend, 11, 5_000, 10, *MARKET, is_call=True)
    if backend == "mlx":  # another block draws other numbers
        option_by_simulation.compare(parts, whole)
    else:
        assert parts == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("place", "value", "field"),
    [
        (0, -1, "seed"),
        (1, -1, "pairs"),
        (2, 0, "steps"),
        (10, 3, "payoff"),
        (11, 5, "barrier"),
        (12, -1.0, "level"),
        (7, -0.1, "volatility"),
        (8, -1.0, "expiry"),
    ],
)
def test_numbers_without_meaning_are_refused_by_name(backend, place, value, field):
    arguments = [1, 10, 4, *MARKET, True, 0, 1, 120.0, True]
    arguments[place] = value
    with pytest.raises(Invalid, match=f"^{field}: "):
        option_by_simulation.run(backend, option_by_simulation.prepare(*arguments))
