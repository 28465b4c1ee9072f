from math import log

import numpy as np
import pytest
from scipy import stats

from nautilus.checks import check_kernel
from nautilus.engines.marketdata import find_days, read_day
from nautilus.engines.marketdata.goog_flow import DECAY, goog_process
from nautilus.engines.marketdata.hawkes import HawkesProcess, rescale_times, simulate_hawkes
from nautilus.engines.marketdata.hawkes_fit import MIRROR, climb, fit_hawkes, flow_events, mirrored
from nautilus.engines.marketdata.lobster import LobsterDay
from nautilus.errors import Invalid, NotReady
from nautilus.testing import make_instrument

HOUR_NS = 3_600_000_000_000
TWO = HawkesProcess([0.5, 0.3], [[[2.0], [1.0]], [[0.5], [3.0]]], [5.0])


@pytest.mark.parametrize("one", [rescale_times, climb])
def test_kernels_and_references_agree(one):
    check_kernel(one)


def _simulate_slowly(process, draws, events):
    """Thinning with the intensity summed over the whole past each time."""
    past, at, candidates = [], 0.0, 0

    def intensities():
        found = process.baseline.copy()
        for then, kind in past:
            found += (process.excitation[:, kind] * np.exp(-process.decay * (at - then))).sum(axis=1)
        return found

    while len(past) < events:
        bound = intensities().sum()
        at -= log(1.0 - draws.random()) / bound
        candidates += 1
        level = draws.random() * bound
        levels = np.cumsum(intensities())
        if level < levels[-1]:
            past.append((at, int(np.searchsorted(levels, level, "right"))))
    return past, candidates


def test_simulation_is_thinning_of_the_intensity_summed_over_the_whole_past():
    excitation = [[[1.0, 0.1], [0.5, 0.1]], [[0.2, 0.1], [2.0, 0.0]]]
    process = HawkesProcess([1.0, 0.5], excitation, [9.0, 1.0])
    time, kind = np.empty(300), np.empty(300, np.int64)
    expected, candidates = _simulate_slowly(process, np.random.default_rng(3), 300)
    parameters = process.baseline.copy(), process.excitation.copy(), process.decay.copy()
    assert simulate_hawkes(*parameters, np.random.default_rng(3), time, kind) == candidates > 300
    assert time == pytest.approx([at for at, _ in expected], rel=1e-9)
    assert kind.tolist() == [kind for _, kind in expected]


def test_a_seed_gives_the_same_events_to_the_bit():
    first, again, other = TWO.simulate(500, 1), TWO.simulate(500, 1), TWO.simulate(500, 2)
    assert first[0].tobytes() == again[0].tobytes()
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_simulated_rates_are_those_of_the_stationary_process():
    time, kind = TWO.simulate(100_000, 3)
    found = np.bincount(kind) / time[-1]
    assert found == pytest.approx(TWO.mean_rates, rel=0.05)
    assert TWO.branching_ratio == pytest.approx(
        0.5 + np.sqrt(0.03)
    )  # of [[0.4, 0.2], [0.1, 0.6]]: 0.5 + sqrt(0.01 + 0.02)


def test_residuals_of_the_true_process_are_exponential_and_of_a_poisson_process_are_not():
    time, kind = TWO.simulate(20_000, 4)
    for residuals in TWO.residuals(time, kind):
        assert stats.kstest(residuals, "expon").pvalue > 0.001
        assert abs(np.corrcoef(residuals[1:], residuals[:-1])[0, 1]) < 4 / np.sqrt(len(residuals))
    poisson = HawkesProcess(TWO.mean_rates, np.zeros((2, 2, 1)), [1.0])
    assert all(stats.kstest(residuals, "expon").pvalue < 1e-9 for residuals in poisson.residuals(time, kind))


def test_the_fit_recovers_parameters_and_branching_ratio():
    time, kind = TWO.simulate(50_000, 5)
    fit = fit_hawkes(time, kind, 2, [5.0], float(time[-1]), tolerance=1e-8)
    assert fit.process.branching_ratio == pytest.approx(TWO.branching_ratio, abs=0.03)
    assert fit.process.baseline == pytest.approx(TWO.baseline, rel=0.15)
    assert fit.process.branching == pytest.approx(TWO.branching, abs=0.05)
    assert fit.log_likelihood > fit.poisson_log_likelihood


def test_no_step_lowers_the_likelihood():
    time, kind = TWO.simulate(2_000, 6)
    found = [
        fit_hawkes(time, kind, 2, [5.0, 0.5], float(time[-1]), tolerance=-1.0, max_steps=steps).log_likelihood
        for steps in (1, 2, 3, 10, 50)
    ]
    assert found == sorted(found)


def test_goog_flow_is_the_estimate_from_the_day_and_fits_it(shared_data):
    day = read_day(find_days(shared_data / "lobster")[0])
    open_ns = int(day.ts_event[0]) // HOUR_NS * HOUR_NS + HOUR_NS // 2
    time, kind = flow_events(day, open_ns + HOUR_NS, open_ns + 6 * HOUR_NS)
    assert len(time) == 100_886
    fit = fit_hawkes(time, kind, 6, DECAY, 18_000.0)
    process = goog_process()
    assert mirrored(fit.process).branching == pytest.approx(process.branching, abs=0.002)
    assert process.branching_ratio == pytest.approx(0.877, abs=0.002)
    assert (fit.log_likelihood - fit.poisson_log_likelihood) / len(time) > 3.0
    together = np.concatenate(fit.process.residuals(time, kind))
    assert stats.kstest(together, "expon").statistic < 0.02
    single = fit_hawkes(time, kind, 6, [20.0], 18_000.0, tolerance=1e-4)
    assert stats.kstest(np.concatenate(single.process.residuals(time, kind)), "expon").statistic > 0.1


def test_goog_flow_has_two_sides_alike():
    process, other = goog_process(), list(MIRROR)
    assert process.branching == pytest.approx(process.branching[other][:, other])
    assert process.mean_rates == pytest.approx(process.mean_rates[other])


def test_executions_at_one_time_and_side_are_one_market_order():
    kind, side = np.array([1, 4, 4, 4, 5, 3, 2, 6, 7]), np.array([1, -1, -1, 1, 1, 1, -1, 1, -1])
    time = np.array([0, 5, 5, 5, 5, 6, 7, 8, 9]) * 1_000_000_000
    ones = np.ones(9, np.int64)
    day = LobsterDay(make_instrument(), time, kind, ones, ones, ones, side, np.zeros((9, 4), np.int64))
    seconds, types = flow_events(day, 0, 9_000_000_000)
    assert seconds.tolist() == [0, 5, 5, 6, 7]
    assert types.tolist() == [0, 4, 5, 2, 3]


def test_what_cannot_be_is_refused():
    with pytest.raises(Invalid, match="branching ratio of 2"):
        HawkesProcess([1.0], [[[2.0]]], [1.0])
    with pytest.raises(Invalid, match="excitation"):
        HawkesProcess([1.0], [[[-2.0]]], [1.0])
    with pytest.raises(Invalid, match="shape"):
        HawkesProcess([1.0], [[[1.0]], [[1.0]]], [2.0])
    with pytest.raises(Invalid, match="decay"):
        HawkesProcess([1.0], [[[0.0]]], [0.0])
    with pytest.raises(Invalid, match="baseline"):
        HawkesProcess([0.0], [[[0.0]]], [1.0]).simulate(1, 1)
    with pytest.raises(Invalid, match="run backwards"):
        TWO.residuals([2.0, 1.0], [0, 0])
    with pytest.raises(Invalid, match=r"0\.\.1"):
        TWO.residuals([1.0], [2])
    with pytest.raises(Invalid, match="end"):
        fit_hawkes([1.0, 2.0], [0, 1], 2, [1.0], 1.5)
    with pytest.raises(NotReady, match="no event of type 1"):
        fit_hawkes([1.0], [0], 2, [1.0], 2.0)
