import numpy as np
import pytest

from nautilus.engines.enhanced_vpin import estimate_improved_vpin, improved_vpin
from nautilus.engines.enhanced_vpin.improved_vpin import highest_likelihood, starting_points
from nautilus.errors import Invalid

ALPHA, DELTA, MU, EPSILON = 0.4, 0.3, 30.0, 10.0
TRUTH = ALPHA * MU / (MU + 2 * EPSILON)


def buckets(count, seed=0):
    """Poisson volumes of the model; an informed bucket lasts a shorter time, so that volumes are about equal."""
    generator = np.random.default_rng(seed)
    news = generator.random(count) < ALPHA
    bad = news & (generator.random(count) < DELTA)
    duration = np.where(news, 2.0, 5.0) * generator.uniform(0.8, 1.2, count)
    buy = generator.poisson((EPSILON + MU * (news & ~bad)) * duration).astype(float)
    return buy, generator.poisson((EPSILON + MU * bad) * duration).astype(float), duration


@pytest.mark.parametrize("seed", range(3))
def test_the_parameters_of_a_known_market_are_recovered(seed):
    buy, sell, duration = buckets(400, seed)
    estimate = estimate_improved_vpin(buy, sell, duration)
    assert estimate.ivpin == pytest.approx(TRUTH, abs=0.06)
    assert estimate.delta == pytest.approx(DELTA, abs=0.12)
    assert estimate.mu / estimate.epsilon == pytest.approx(MU / EPSILON, rel=0.1)


@pytest.mark.parametrize("seed", range(2))
def test_the_maximum_is_that_of_a_general_optimiser(seed):
    buy, sell, duration = buckets(15, seed)
    time = duration / duration.mean()
    starts = starting_points(buy, sell, time)
    ours, theirs = (
        highest_likelihood(buy, sell, time, starts),
        highest_likelihood.reference(buy, sell, time, starts[::6]),
    )
    assert ours[4] >= theirs[4] - 1e-6
    assert ours[4] == pytest.approx(theirs[4], rel=1e-6)
    assert ours[:4] == pytest.approx(theirs[:4], rel=2e-3, abs=1e-4)


def test_the_unit_of_time_does_not_matter():
    buy, sell, duration = buckets(60)
    assert estimate_improved_vpin(buy, sell, 1e9 * duration).ivpin == pytest.approx(
        estimate_improved_vpin(buy, sell, duration).ivpin, rel=1e-9
    )


def test_windows_move_over_the_buckets():
    buy, sell, duration = buckets(60)
    values = improved_vpin(buy, sell, duration, 50)
    assert np.isnan(values[:49]).all()
    assert values[49] == pytest.approx(estimate_improved_vpin(buy[:50], sell[:50], duration[:50]).ivpin)
    assert ((values[49:] >= 0) & (values[49:] <= 1)).all()


@pytest.mark.parametrize(("column", "value"), [(0, np.nan), (1, -1.0), (2, 0.0), (2, np.inf)])
def test_impossible_buckets_are_refused(column, value):
    columns = [array[:9] for array in buckets(9)]
    columns[column] = columns[column].copy()
    columns[column][3] = value
    with pytest.raises(Invalid):
        estimate_improved_vpin(*columns)


def test_too_few_or_empty_buckets_are_refused():
    with pytest.raises(Invalid):
        estimate_improved_vpin(np.ones(2), np.ones(2), np.ones(2))
    with pytest.raises(Invalid):
        estimate_improved_vpin(np.zeros(5), np.zeros(5), np.ones(5))
    with pytest.raises(Invalid):
        improved_vpin(np.ones(5), np.ones(5), np.ones(5), 6)
