"""Factor returns against a plain solution of the constrained problem, and what their definition promises."""

import numpy as np
import pytest

from nautilus.engines.factor.exposures import one_hot
from nautilus.engines.factor.factor_returns import estimate_factor_returns

DATES, ASSETS, SECTORS, STYLES = 5, 40, 4, 3


@pytest.fixture
def panel():
    rng = np.random.default_rng(3)
    codes = np.arange(ASSETS) % SECTORS
    return {
        "returns": rng.normal(0, 0.02, (DATES, ASSETS)),
        "market_caps": np.exp(rng.normal(20, 1, (DATES, ASSETS))),
        "sector_scores": one_hot(list(codes), SECTORS),
        "style_scores": rng.normal(size=(DATES, ASSETS, STYLES)),
    }


def lagrange(exposures, weights, returns, constraint):
    """Weighted least squares subject to `constraint` @ f = 0, by the conditions of Karush, Kuhn and Tucker."""
    normal = exposures.T @ (weights[:, None] * exposures)
    size = normal.shape[0]
    system = np.zeros((size + 1, size + 1))
    system[:size, :size], system[:size, size], system[size, :size] = normal, constraint, constraint
    return np.linalg.solve(system, np.append(exposures.T @ (weights * returns), 0.0))[:size]


@pytest.mark.parametrize("constraint", ["cap", "equal"])
@pytest.mark.parametrize("method", ["joint", "sequential"])
def test_it_solves_the_constrained_problem(panel, constraint, method):
    found = estimate_factor_returns(**panel, winsor_share=None, constraint=constraint, method=method)
    for date in range(DATES):
        r, caps, D = panel["returns"][date], panel["market_caps"][date], panel["sector_scores"]
        X = panel["style_scores"][date]
        weights = np.sqrt(caps)
        sums = np.append(0.0, caps @ D if constraint == "cap" else np.ones(SECTORS))
        base = np.column_stack([np.ones(ASSETS), D])
        if method == "joint":
            f = lagrange(np.column_stack([base, X]), weights, r, np.append(sums / sums.max(), np.zeros(STYLES)))
            styles, residuals = f[1 + SECTORS :], r - np.column_stack([base, X]) @ f
        else:
            f = lagrange(base, weights, r, sums / sums.max())
            left = r - base @ f
            styles = np.linalg.lstsq(X * np.sqrt(weights)[:, None], left * np.sqrt(weights), rcond=None)[0]
            residuals = left - X @ styles
        assert found.market[date] == pytest.approx(f[0], rel=1e-9)
        np.testing.assert_allclose(found.sectors[date], f[1 : 1 + SECTORS], rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(found.styles[date], styles, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(found.residuals[date], residuals, rtol=1e-8, atol=1e-12)


def test_cap_weighted_sector_returns_sum_to_zero(panel):
    found = estimate_factor_returns(**panel)
    caps = panel["market_caps"] @ panel["sector_scores"]
    np.testing.assert_allclose((caps * found.sectors).sum(axis=1) / caps.sum(axis=1), 0, atol=1e-16)


def test_planted_factors_are_found_again(panel):
    rng = np.random.default_rng(5)
    market, styles = rng.normal(0, 0.01, DATES), rng.normal(0, 0.01, (DATES, STYLES))
    caps = panel["market_caps"] @ panel["sector_scores"]
    sectors = rng.normal(0, 0.01, (DATES, SECTORS))
    sectors -= ((caps * sectors).sum(axis=1) / caps.sum(axis=1))[:, None]
    panel["returns"] = (
        market[:, None] + sectors @ panel["sector_scores"].T + np.einsum("tnk,tk->tn", panel["style_scores"], styles)
    )
    found = estimate_factor_returns(**panel, winsor_share=None, method="joint")
    np.testing.assert_allclose(found.market, market, rtol=1e-9)
    np.testing.assert_allclose(found.sectors, sectors, rtol=1e-8)
    np.testing.assert_allclose(found.styles, styles, rtol=1e-9)
    np.testing.assert_allclose(found.r_squared, 1.0)


def test_an_asset_with_anything_missing_takes_no_part(panel):
    holes = {
        "returns": (0, 3), "market_caps": (1, 7), "style_scores": (2, 9, 1),
    }  # fmt: skip
    for name, where in holes.items():
        panel[name][where] = np.nan
    panel["market_caps"][3, 11] = 0.0
    found = estimate_factor_returns(**panel, winsor_share=0.1)
    assert found.assets.tolist() == [39, 39, 39, 39, 40]
    for date, asset in enumerate((3, 7, 9, 11)):
        keep = np.arange(ASSETS) != asset
        alone = estimate_factor_returns(
            panel["returns"][date : date + 1, keep], panel["market_caps"][date : date + 1, keep],
            panel["sector_scores"][keep], panel["style_scores"][date : date + 1, keep], winsor_share=0.1,
        )  # fmt: skip
        np.testing.assert_allclose(found.styles[date], alone.styles[0], rtol=1e-10)
        assert np.isnan(found.residuals[date, asset])
        np.testing.assert_allclose(found.residuals[date, keep], alone.residuals[0], rtol=1e-9, atol=1e-14)


def test_dates_are_independent_and_keep_their_order(panel):
    whole = estimate_factor_returns(**panel)
    flipped = estimate_factor_returns(
        panel["returns"][::-1], panel["market_caps"][::-1], panel["sector_scores"], panel["style_scores"][::-1]
    )
    np.testing.assert_array_equal(whole.market, flipped.market[::-1])
    np.testing.assert_array_equal(whole.styles, flipped.styles[::-1])


@pytest.mark.parametrize("constraint", ["cap", "equal"])
def test_an_empty_sector_has_no_return_and_disturbs_nothing(panel, constraint):
    without = estimate_factor_returns(**panel, constraint=constraint)
    panel["sector_scores"] = np.column_stack(
        [panel["sector_scores"][:, :2], np.zeros(ASSETS), panel["sector_scores"][:, 2:]]
    )
    found = estimate_factor_returns(**panel, constraint=constraint)
    assert np.isnan(found.sectors[:, 2]).all()
    np.testing.assert_allclose(found.market, without.market, rtol=1e-10)
    np.testing.assert_allclose(found.sectors[:, [0, 1, 3, 4]], without.sectors, rtol=1e-8, atol=1e-14)


def test_without_sectors_and_styles_the_market_is_the_weighted_mean(panel):
    found = estimate_factor_returns(
        panel["returns"], panel["market_caps"], np.empty((ASSETS, 0)), np.empty((DATES, ASSETS, 0)), winsor_share=None
    )
    weights = np.sqrt(panel["market_caps"])
    np.testing.assert_allclose(found.market, (weights * panel["returns"]).sum(axis=1) / weights.sum(axis=1), rtol=1e-10)


def test_a_date_without_assets_has_no_returns(panel):
    panel["returns"][2] = np.nan
    found = estimate_factor_returns(**panel)
    assert np.isnan([found.market[2], *found.sectors[2], *found.styles[2], found.r_squared[2]]).all()
    assert np.isfinite(found.market[[0, 1, 3, 4]]).all()
    assert found.assets[2] == 0


def test_winsorised_outliers_count_less(panel):
    panel["returns"][0, 0] = 50.0
    assert abs(estimate_factor_returns(**panel, winsor_share=0.05).market[0]) < 0.05
    assert abs(estimate_factor_returns(**panel, winsor_share=None).market[0]) > 0.1


def test_many_dates_in_chunks_equal_single_dates(panel, monkeypatch):
    whole = estimate_factor_returns(**panel)
    monkeypatch.setattr("nautilus.engines.factor.factor_returns._CHUNK_CELLS", 1)
    np.testing.assert_allclose(estimate_factor_returns(**panel).styles, whole.styles, rtol=1e-12)


def test_what_is_refused(panel):
    with pytest.raises(ValueError, match="one shape"):
        estimate_factor_returns(**{**panel, "market_caps": np.ones((2, 2))})
    with pytest.raises(ValueError, match="sector_scores"):
        estimate_factor_returns(**{**panel, "sector_scores": np.ones((3, 2))})
    with pytest.raises(ValueError, match="winsor_share"):
        estimate_factor_returns(**panel, winsor_share=0.5)
