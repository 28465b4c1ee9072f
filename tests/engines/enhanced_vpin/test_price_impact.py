import numpy as np
import pytest

from nautilus.engines.enhanced_vpin import amihud, hasbrouck_lambda, kyle_lambda, signed_root_value
from nautilus.errors import Invalid


def test_kyles_lambda_is_recovered_from_a_linear_market():
    generator = np.random.default_rng(1)
    flow = generator.normal(0, 1000, 2000)
    change = 5e-5 * flow + generator.normal(0, 0.05, 2000)
    fit = kyle_lambda(change, flow)
    assert abs(fit.slope - 5e-5) < 3 * fit.standard_error
    assert fit.t_statistic > 10


def test_hasbroucks_lambda_is_recovered_from_a_root_market():
    generator = np.random.default_rng(2)
    root = generator.normal(0, 1e3, 1500)
    fit = hasbrouck_lambda(1e-6 * root + generator.normal(0, 1e-3, 1500), root)
    assert abs(fit.slope - 1e-6) < 3 * fit.standard_error


def test_the_root_keeps_the_sign():
    assert signed_root_value(np.array([1.0, -1.0, -1.0]), np.array([9.0, 4.0, 1.0])) == 0.0


def test_amihud_leaves_out_intervals_without_trades():
    assert amihud(np.array([0.02, 0.5]), np.array([1e6, 0.0])) == 0.02
    assert amihud(np.array([0.02]), np.array([0.0])) is None
    with pytest.raises(Invalid):
        amihud(np.zeros(2), np.zeros(3))
