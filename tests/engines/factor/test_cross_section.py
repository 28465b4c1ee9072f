"""Cross-sectional operators against their definitions, row by row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from nautilus.engines.factor import cross_section as cs

cells = st.one_of(st.integers(-3, 3).map(float), st.floats(-50, 50).map(lambda v: round(v, 3)), st.just(np.nan))
panels = hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=cells)
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@given(x=panels)
def test_rank_zscore_scale_winsorize_demean(x, slow_operators):
    for name, arguments in (("rank", ()), ("zscore", ()), ("demean", ()), ("winsorize", (0.2,))):
        found = getattr(cs, name)(x, *arguments)
        np.testing.assert_allclose(found, slow_operators[name](x, *arguments), rtol=1e-9, atol=1e-12, err_msg=name)


@given(x=panels)
def test_scaled_magnitudes_sum_to_the_total(x):
    found = cs.scale(x, 2.0)
    for row, values in zip(found, x, strict=True):
        present = ~np.isnan(values)
        if present.sum() >= 2 and np.abs(values[present]).sum() > 1e-6:
            assert np.nansum(np.abs(row)) == pytest.approx(2.0)
            assert np.array_equal(np.sign(row[present]), np.sign(values[present]))
        elif present.sum() < 2:
            assert np.isnan(row).all()


@given(x=panels, seed=st.integers(0, 99))
def test_groups(x, seed, slow_operators):
    groups = np.random.default_rng(seed).integers(0, 3, x.shape).astype(float)
    expected = slow_operators["group_neutralize"](x, groups)
    np.testing.assert_allclose(cs.group_neutralize(x, groups), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(cs.group_mean(x, groups), x - expected, rtol=1e-9, atol=1e-12)
    ranks = cs.group_rank(x, groups)
    for row, values, codes in zip(ranks, x, groups, strict=True):
        if (~np.isnan(values)).sum() < 2:
            assert np.isnan(row).all()
            continue
        for code in np.unique(codes):
            members = (codes == code) & ~np.isnan(values)
            if members.any():
                np.testing.assert_allclose(row[members], stats.rankdata(values[members]) / members.sum())


def test_group_zscore_has_unit_deviation_in_each_group():
    x = np.random.default_rng(1).normal(size=(3, 12))
    groups = np.tile([0.0, 1.0, 2.0], 4)[None].repeat(3, axis=0)
    scores = cs.group_zscore(x, groups)
    for code in range(3):
        members = scores[groups == code].reshape(3, 4)
        np.testing.assert_allclose(members.mean(axis=1), 0, atol=1e-15)
        np.testing.assert_allclose(members.std(axis=1, ddof=1), 1)


def test_an_instrument_without_a_group_has_no_group_value():
    found = cs.group_neutralize(np.array([[1.0, 2.0, 6.0]]), np.array([[0.0, np.nan, 0.0]]))
    np.testing.assert_array_equal(found, [[-2.5, np.nan, 2.5]])


@pytest.mark.parametrize("code", [-1.0, 0.5, 5000.0])
def test_group_codes_must_be_small_whole_numbers(code):
    with pytest.raises(ValueError, match="group codes"):
        cs.group_mean(np.ones((1, 2)), np.array([[0.0, code]]))


@given(y=panels, seed=st.integers(0, 99))
def test_residual_is_uncorrelated_with_what_was_removed(y, seed):
    x = np.random.default_rng(seed).normal(size=y.shape)
    left = cs.residual(y, x)
    for row, removed in zip(left, x, strict=True):
        present = ~np.isnan(row)
        if present.any():
            assert abs(row[present].sum()) < 1e-8
            assert abs(row[present] @ removed[present]) < 1e-7


def test_one_instrument_is_no_cross_section():
    x = np.array([[3.0, np.nan]])
    for function in (cs.rank, cs.zscore, cs.demean):
        assert np.isnan(function(x)).all()


def test_a_constant_row_has_no_zscore():
    assert np.isnan(cs.zscore(np.full((1, 3), 0.1))).all()
