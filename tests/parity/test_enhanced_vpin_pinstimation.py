"""PIN against PINstimation's estimates for its own data and against InfoTrad's consistent examples."""

import json

import numpy as np
import polars as pl
import pytest

from nautilus.engines.enhanced_vpin import PinParameters, estimate_pin, log_likelihood

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def dailytrades(shared_data):
    frame = pl.read_csv(shared_data / "pin_vpin/r_outputs/pinstimation_dailytrades.csv")
    return frame["B"].to_numpy().astype(float), frame["S"].to_numpy().astype(float)


def test_pin_of_dailytrades(dailytrades):
    estimate = estimate_pin(*dailytrades)
    assert estimate.pin == pytest.approx(0.56617214446, abs=2e-6)
    assert estimate.log_likelihood == pytest.approx(-3226.46898032, abs=1e-8)
    assert estimate.log_likelihood >= -3226.46898032318  # at least as high as at R's own estimate
    r = PinParameters(0.749997467738, 0.133334237753, 1193.517965491142, 357.265909864534, 328.629179252861)
    for name in ("alpha", "delta", "mu", "epsilon_b", "epsilon_s"):
        assert getattr(estimate.parameters, name) == pytest.approx(getattr(r, name), rel=1e-5), name


def test_the_likelihood_equals_all_three_factorisations(dailytrades):
    """E, EHO and LK agree in R at this point, where the likelihood itself overflows."""
    point = PinParameters(0.4, 0.6, 500.0, 1000.0, 1300.0)
    assert log_likelihood(point, *dailytrades) == pytest.approx(-35602.3022599, rel=1e-12)


def test_infotrads_examples_are_reached_or_beaten(shared_data):
    """Its clustering start reaches the maximum; its others end in local optima that ours must not be below."""
    oracle = json.loads((shared_data / "pin_vpin/infotrad_expected.json").read_text())
    buys, sells = np.array(oracle["buys"], dtype=float), np.array(oracle["sells"], dtype=float)
    estimate = estimate_pin(buys, sells)
    reached = False
    for case in oracle["cases"]:
        e = case["expected"]
        printed = PinParameters(e["Alpha"], max(e["Delta"], 1e-9), e["Mu"], e["Epsilon_b"], e["Epsilon_s"])
        assert estimate.log_likelihood >= log_likelihood(printed, buys, sells) - 1e-9
        if case["consistent"] and abs(e["PIN"] - estimate.pin) < 1e-6:
            reached = True
    assert reached
