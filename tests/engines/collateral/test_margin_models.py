"""Reg T, the house model, written options and what-if, against worked numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.collateral import (
    HOUSE_RATES,
    MarginPosition,
    OptionLeg,
    call_price,
    cash_secured_put,
    house_margin,
    margin_of,
    reg_t_margin,
    short_maintenance,
    spread_requirement,
    what_if,
    written_option_requirement,
    written_strangle_requirement,
)
from nautilus.errors import Invalid
from nautilus.model.enums import AssetClass


def position(quantity=1_000.0, price=50.0, asset_class=AssetClass.EQUITY, name="X", **changes):
    return MarginPosition(
        instrument_id=f"{name}.XNYS", asset_class=asset_class, quantity=quantity, price=price, **changes
    )


classes = st.sampled_from(list(AssetClass))
portfolios = st.lists(
    st.builds(
        position,
        st.floats(-1e5, 1e5),
        st.floats(0.01, 1e3),
        classes,
        st.sampled_from("ABCDEFGH"),
        volatility=st.none() | st.floats(0, 2),
    ),
    max_size=8,
)


# -- Reg T -----------------------------------------------------------------------------------------------------------


def test_a_stock_bought_on_half_credit_is_called_at_two_thirds():
    margin = reg_t_margin([position()], 25_000.0)
    assert (margin.initial, margin.maintenance, margin.buying_power) == (25_000.0, 12_500.0, 0.0)
    assert call_price(1_000, 50.0, 25_000.0) == pytest.approx(33.3333, abs=1e-4)
    fallen = 25_000.0 - 1_000 * (50.0 - 100.0 / 3.0)
    assert reg_t_margin([position(price=100.0 / 3.0)], fallen).utilization == pytest.approx(1.0)


def test_a_stock_sold_short_is_called_at_credit_over_thirteen_tenths():
    assert call_price(-1_000, 100.0, 50_000.0) == pytest.approx(150_000 / 1_300)
    risen = 50_000.0 - 1_000 * (150_000 / 1_300 - 100.0)
    margin = reg_t_margin([position(-1_000.0, 150_000 / 1_300)], risen)
    assert margin.utilization == pytest.approx(1.0)


def test_a_stock_held_without_credit_is_never_called():
    assert call_price(100, 50.0, 5_000.0) is None
    with pytest.raises(Invalid):
        call_price(0.0, 50.0, 5_000.0)


@pytest.mark.parametrize(
    ("price", "expected"),
    [(1.0, 250.0), (2.5, 250.0), (4.0, 400.0), (5.0, 500.0), (10.0, 500.0), (20.0, 600.0), (100.0, 3_000.0)],
)
def test_low_priced_shorts(price, expected):
    assert short_maintenance(price, 100.0) == pytest.approx(expected)
    margin = reg_t_margin([position(-100.0, price)], 1_000.0)
    assert margin.maintenance == pytest.approx(expected)
    assert margin.initial == pytest.approx(max(50.0 * price, expected)), "never below maintenance"


def test_what_is_no_stock_is_charged_in_full_and_named():
    margin = reg_t_margin([position(2.0, 30_000.0, AssetClass.CRYPTO, "BTC")], 60_000.0)
    assert margin.maintenance == 60_000.0
    assert "BTC.XNYS" in margin.notes[0]


# -- the house model -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asset_class", "initial", "maintenance"),
    [
        (AssetClass.EQUITY, 25_000, 15_000),
        (AssetClass.ETF, 25_000, 15_000),
        (AssetClass.BOND, 5_000, 3_000),
        (AssetClass.FX, 2_000, 1_500),
        (AssetClass.FUTURE, 15_000, 10_000),
        (AssetClass.OPTION, 15_000, 10_000),
        (AssetClass.COMMODITY, 30_000, 20_000),
        (AssetClass.CRYPTO, 50_000, 35_000),
    ],
)
def test_class_rates_long_and_short(asset_class, initial, maintenance):
    for quantity in (1_000.0, -1_000.0):
        margin = house_margin([position(quantity, 100.0, asset_class, volatility=0.2)], 100_000.0)
        assert margin.initial == pytest.approx(initial)
        assert margin.maintenance == pytest.approx(maintenance)
        assert margin.notes == ()


def test_price_is_of_one_unit_and_the_multiplier_counts():
    future = position(2.0, 5_000.0, AssetClass.FUTURE, multiplier=50.0)
    assert future.market_value == 500_000.0
    assert house_margin([future], 1e6).initial == pytest.approx(75_000.0)


def test_volatility_and_size_add_on():
    wild = house_margin([position(1_000.0, 100.0, volatility=0.5)], 1e6)
    assert wild.initial == pytest.approx(25_000 * (1 + 1.5 * 0.2))
    assert wild.positions[0].volatility_add_on == pytest.approx(7_500.0)
    crypto = house_margin([position(1.0, 100_000.0, AssetClass.CRYPTO, volatility=0.8)], 1e6)
    assert crypto.initial == pytest.approx(50_000 * (1 + 3.0 * 0.5))
    large = house_margin([position(110_000.0, 100.0, volatility=0.1)], 1e7)
    assert large.initial == pytest.approx(11e6 * 0.25 * 1.1)
    assert large.positions[0].concentration_add_on == pytest.approx(275_000.0)
    at_the_edge = house_margin([position(100_000.0, 100.0, volatility=0.1)], 1e7)
    assert at_the_edge.positions[0].concentration_add_on == 0.0


def test_duration_adds_a_hundredth_a_year():
    bond = house_margin([position(1_000.0, 100.0, AssetClass.BOND, duration_years=7.0)], 1e6)
    assert bond.initial == pytest.approx(100_000 * 0.12)
    stock = house_margin([position(1_000.0, 100.0, duration_years=7.0)], 1e6)
    assert stock.initial == pytest.approx(25_000.0)


def test_offsets_need_both_directions():
    long, short = position(1_000.0, 100.0, name="A"), position(-1_000.0, 100.0, name="B")
    same = house_margin([long, position(1_000.0, 100.0, name="B")], 1e6)
    assert same.offset == 0.0
    hedged = house_margin([long, short], 1e6)
    assert hedged.gross_initial == pytest.approx(50_000.0)
    assert hedged.offset == pytest.approx(10_000.0), "20% of both sides, as the table says"
    partly = house_margin([long, position(-250.0, 100.0, name="B")], 1e6)
    assert partly.offset == pytest.approx(0.20 * 2 * 6_250)
    other_class = house_margin([long, position(-1.0, 100_000.0, AssetClass.CRYPTO, "B")], 1e6)
    assert other_class.offset == 0.0
    etf = house_margin([long, position(-1_000.0, 100.0, AssetClass.ETF, "B")], 1e6)
    assert etf.offset == pytest.approx(10_000.0), "an ETF is charged, and offset, as equity"


def test_variation_owed_is_part_of_the_requirement_and_a_gain_is_not():
    owed = house_margin([position(volatility=0.1)], 25_000.0, 5_000.0)
    assert owed.requirement == pytest.approx(17_500.0)
    assert owed.utilization == pytest.approx(0.7)
    assert house_margin([position(volatility=0.1)], 25_000.0, -5_000.0).requirement == pytest.approx(12_500.0)


def test_unknown_volatility_is_said():
    assert "X.XNYS" in house_margin([position()], 1.0).notes[0]


@given(portfolios, st.floats(-1e6, 1e9), st.sampled_from(["house", "reg_t"]))
def test_every_portfolio_has_a_sane_margin(positions, collateral, model):
    margin = margin_of(model, positions, collateral)
    assert math.isfinite(margin.initial)
    assert 0.0 <= margin.maintenance <= margin.initial + 1e-6
    assert margin.initial >= 0.5 * margin.gross_initial - 1e-6
    assert margin.excess == pytest.approx(collateral - margin.requirement)
    if margin.utilization is None:
        assert collateral <= 0.0 < margin.requirement
    flipped = [position(-p.quantity, p.price, p.asset_class, "Z", volatility=p.volatility) for p in positions]
    if model == "house":
        assert margin_of(model, flipped, collateral).initial == pytest.approx(margin.initial, rel=1e-9, abs=1e-6)


@given(portfolios)
def test_margin_without_hedges_scales_with_size(positions):
    twice = [position(2 * p.quantity, p.price, p.asset_class, "A", volatility=p.volatility) for p in positions]
    if all(item.notional < 5e6 for item in positions):
        once = house_margin(
            [position(p.quantity, p.price, p.asset_class, "A", volatility=p.volatility) for p in positions], 1.0
        )
        assert house_margin(twice, 1.0).initial == pytest.approx(2 * once.initial, rel=1e-9, abs=1e-9)


def test_the_table_covers_every_class():
    assert set(HOUSE_RATES) == set(AssetClass)


def test_an_unknown_model_is_refused():
    with pytest.raises(Invalid, match="model"):
        margin_of("magic", [], 1.0)


# -- written options -------------------------------------------------------------------------------------------------


def test_published_option_margins():
    assert written_option_requirement("put", 200.0, 1.20, 209.0) == pytest.approx(3_400.0)
    spy = written_option_requirement("put", 572.0, 5.61, 587.88, broad_index=True)
    assert spy == pytest.approx(7_791.2)
    assert cash_secured_put(572.0, 5.61) == pytest.approx(56_639.0)


def test_an_iron_condor_risks_its_width_less_the_credit():
    legs = [
        OptionLeg(right="put", strike=567.0, quantity=1, premium=4.50),
        OptionLeg(right="put", strike=572.0, quantity=-1, premium=5.61),
        OptionLeg(right="call", strike=602.0, quantity=-1, premium=3.27),
        OptionLeg(right="call", strike=607.0, quantity=1, premium=2.00),
    ]
    assert spread_requirement(legs) == pytest.approx(500.0 - 238.0)


def test_the_floor_of_ten_percent_far_out_of_the_money():
    assert written_option_requirement("call", 200.0, 0.10, 100.0) == pytest.approx(100 * (0.10 + 10.0))
    assert written_option_requirement("put", 50.0, 0.10, 100.0) == pytest.approx(100 * (0.10 + 5.0))


def test_a_strangle_needs_the_larger_side_and_the_other_premium():
    call, put = (110.0, 1.5), (95.0, 2.0)
    larger = max(
        written_option_requirement("call", *call, 100.0) + 200.0,
        written_option_requirement("put", *put, 100.0) + 150.0,
    )
    assert written_strangle_requirement(call, put, 100.0) == pytest.approx(larger, abs=60.0)
    assert written_strangle_requirement(call, put, 100.0) == pytest.approx(
        written_option_requirement("put", *put, 100.0) + 150.0
    )


def test_a_naked_call_has_no_bounded_loss():
    with pytest.raises(Invalid, match="bound"):
        spread_requirement([OptionLeg(right="call", strike=100.0, quantity=-1, premium=5.0)])
    with pytest.raises(Invalid):
        spread_requirement([])
    long_call = [OptionLeg(right="call", strike=100.0, quantity=1, premium=5.0)]
    assert spread_requirement(long_call) == pytest.approx(500.0)


# -- what if ---------------------------------------------------------------------------------------------------------


def test_what_if_computes_both_sides_in_full():
    held = [position(1_000.0, 100.0, name="A", volatility=0.1)]
    more = what_if("house", held, position(1_000.0, 100.0, name="A", volatility=0.1), 60_000.0, fee=10.0)
    assert more.before.initial == pytest.approx(25_000.0)
    assert more.after.initial == pytest.approx(50_000.0)
    assert more.after.collateral == pytest.approx(59_990.0)
    assert more.allowed
    assert not what_if("house", held, position(2_000.0, 100.0, name="A"), 60_000.0).allowed
    hedge = what_if("house", held, position(-1_000.0, 100.0, name="B", volatility=0.1), 26_000.0)
    assert hedge.initial_change == pytest.approx(15_000.0), "25,000 less 20% of both sides"
    close = what_if("house", held, position(-1_000.0, 100.0, name="A"), 0.0)
    assert close.allowed
    assert close.after.initial == 0.0
    assert close.after.positions == ()
