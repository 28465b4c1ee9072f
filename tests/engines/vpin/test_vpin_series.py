import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.vpin import EmpiricalDistribution, RollingVpin, empirical_cdf, rolling_vpin
from nautilus.errors import Invalid

BUCKETS = st.lists(st.tuples(st.floats(0, 10), st.floats(10, 20)), max_size=60)


@given(BUCKETS, st.integers(1, 9), st.integers(1, 9))
def test_streaming_equals_batch_to_the_last_bit(buckets, window, minimum):
    minimum = min(minimum, window)
    imbalance = np.array([a for a, _ in buckets], dtype=np.float64)
    volume = np.array([b for _, b in buckets], dtype=np.float64)
    rolling = RollingVpin(window, minimum)
    streamed = [rolling.add(*bucket) for bucket in buckets]
    batch = rolling_vpin(imbalance, volume, window, minimum)
    assert streamed == [None if np.isnan(value) else value for value in batch.tolist()]
    np.testing.assert_allclose(batch, rolling_vpin.reference(imbalance, volume, window, minimum), rtol=0, atol=1e-12)


def test_rounding_does_not_build_up():
    generator = np.random.default_rng(0)
    imbalance, volume = generator.uniform(0, 1e6, 100_000), np.full(100_000, 1e6 / 3)
    imbalance[50_000] = 1e16
    vpin = rolling_vpin(imbalance, volume, 50, 50)
    assert vpin[-1] == pytest.approx(imbalance[-50:].sum() / volume[-50:].sum(), rel=1e-14)


@given(BUCKETS, st.integers(1, 8), st.integers(1, 8))
def test_a_restored_window_goes_on_as_if_nothing_had_happened(buckets, window, cut):
    whole, part = RollingVpin(window, 1), RollingVpin(window, 1)
    for bucket in buckets[:cut]:
        whole.add(*bucket)
        part.add(*bucket)
    part = RollingVpin.restored(window, 1, part.state())
    assert [part.add(*bucket) for bucket in buckets[cut:]] == [whole.add(*bucket) for bucket in buckets[cut:]]


def test_a_shorter_window_keeps_the_newest_buckets():
    rolling = RollingVpin(3, 1)
    for imbalance in (1.0, 2.0, 4.0):
        rolling.add(imbalance, 4.0)
    assert RollingVpin.restored(2, 1, rolling.state()).value == 6 / 8


def test_an_impossible_minimum_is_refused():
    with pytest.raises(Invalid):
        RollingVpin(5, 6)


@given(st.lists(st.integers(0, 6), max_size=50), st.integers(1, 9))
def test_ranks_equal_a_count_over_the_kept_values(values, capacity):
    distribution = EmpiricalDistribution(capacity)
    for i, value in enumerate(values):
        kept = values[max(0, i + 1 - capacity) : i + 1]
        assert distribution.add(float(value)) == sum(k <= value for k in kept) / len(kept)
    assert distribution.values() == values[-capacity:]
    assert EmpiricalDistribution(capacity, distribution.values()).values() == distribution.values()


def test_quantiles_are_kept_values():
    distribution = EmpiricalDistribution(10, [0.4, 0.1, 0.3, 0.2])
    assert [distribution.quantile(p) for p in (0.0, 0.25, 0.26, 0.75, 1.0)] == [0.1, 0.1, 0.2, 0.3, 0.4]


def test_the_cdf_skips_what_is_not_defined():
    ranks = empirical_cdf(np.array([np.nan, 0.3, 0.2]), 10)
    assert np.isnan(ranks[0])
    assert ranks[1:].tolist() == [1.0, 0.5]
