"""The live factor set advances row by row like the batch evaluation, and knows what it has to do without."""

import numpy as np
import pytest

from nautilus.engines.factor.definition import library, library_graph
from nautilus.engines.factor.evaluate import evaluate
from nautilus.engines.factor.factor_returns import estimate_factor_returns
from nautilus.engines.factor.live_factors import LIVE_FIELDS, Attributes, LiveFactors, live_formulas
from nautilus.engines.factor.live_rows import BAR_FIELDS, Row
from nautilus.engines.factor.syntax import ExpressionError

STYLES = {"momentum": "zscore(close / delay(close, 5) - 1)"}


def rows_of(panel, names, start=0):
    return [
        Row(row, tuple(names), {field: panel[field][row] for field in BAR_FIELDS})
        for row in range(start, len(panel["close"]))
    ]


def test_what_the_live_panel_lacks_is_named():
    formulas, reasons = live_formulas((), {"mine": "close - open", "odd": "earnings * 2"})
    assert formulas["mine"] == "close - open"
    assert reasons["odd"] == "the live panel has no earnings"
    assert "industry" in reasons["alpha101_059"]
    assert set(formulas) | set(reasons) == {*library(), "mine", "odd"}
    assert len(formulas) > 250
    with pytest.raises(ExpressionError):
        live_formulas((), {"bad": "close +"})
    with pytest.raises(KeyError):
        live_formulas(("nothing",), {})


def test_live_values_equal_the_batch(make_panel):
    panel = make_panel(80, 12, seed=4)
    names = [f"I{k}.SIM" for k in range(12)]
    sectors = {name: "abc"[int(code)] for name, code in zip(names, panel["sector"][0], strict=True)}
    shares = {name: 1e6 * (k + 1) for k, name in enumerate(names)}
    panel["market_cap"] = panel["close"] * np.array(list(shares.values()))
    formulas, _ = live_formulas((), {})
    live = LiveFactors(formulas, STYLES)
    rows = rows_of(panel, names)
    live.advance(rows[:30], Attributes(shares, sectors))
    latest = live.advance(rows[30:], Attributes(shares, sectors))
    expected = evaluate(library_graph(formulas), {name: panel[name] for name in LIVE_FIELDS})
    for name, values in latest.values.items():
        want = [value if np.isfinite(value) else None for value in expected[name][-1].tolist()]
        assert list(values.values()) == want, name
    assert (latest.rows, latest.ts_event) == (80, 79)
    momentum = panel["close"][-2] / panel["close"][-7] - 1
    scores = (momentum - momentum.mean()) / momentum.std(ddof=1)
    labels = sorted(set(sectors.values()))
    membership = np.array([[float(sectors[name] == label) for label in labels] for name in names])
    found = latest.returns
    want = estimate_factor_returns(
        panel["close"][-1:] / panel["close"][-2:-1] - 1, panel["market_cap"][-2:-1], membership,
        scores[None, :, None], winsor_share=None,
    )  # fmt: skip
    assert (found.sectors, found.styles, found.weighting, found.left_out) == (
        tuple(labels),
        ("momentum",),
        "market_cap",
        (),
    )
    np.testing.assert_allclose(found.estimate.market, want.market, rtol=1e-9)
    np.testing.assert_allclose(found.estimate.styles, want.styles, rtol=1e-9)


def test_returns_say_what_they_do_without(make_panel):
    panel = make_panel(10, 3, seed=4)
    live = LiveFactors({"a": "close"}, STYLES)
    latest = live.advance(rows_of(panel, ["A.SIM", "B.SIM", "C.SIM"]), Attributes({}, {"A.SIM": "x"}))
    assert latest.returns.weighting == "equal"
    assert len(latest.returns.left_out) == 2
    np.testing.assert_allclose(latest.returns.estimate.market, (panel["close"][-1] / panel["close"][-2] - 1).mean())


def test_a_single_instrument_has_time_series_values_only(make_panel):
    panel = make_panel(40, 1, seed=4)
    formulas, _ = live_formulas((), {})
    live = LiveFactors(formulas, {})
    latest = live.advance(rows_of(panel, ["A.SIM"]), Attributes({"A.SIM": 1e6}, {"A.SIM": "x"}))
    assert latest.returns is None
    defined = {name for name, values in latest.values.items() if values["A.SIM"] is not None}
    assert len(defined) > 100
    compares = {name for name in live.cross_sectional if "?" not in formulas[name]}
    assert not defined & compares


def test_reset_forgets_every_row(make_panel):
    panel = make_panel(20, 2, seed=4)
    live = LiveFactors({"a": "ts_mean(close, 15)"}, {})
    rows = rows_of(panel, ["A.SIM", "B.SIM"])
    nothing = Attributes({}, {})
    live.advance(rows, nothing)
    live.reset()
    assert live.advance(rows[:14], nothing).values["a"] == {"A.SIM": None, "B.SIM": None}
    assert live.advance(rows[14:15], nothing).values["a"]["A.SIM"] is not None
    with pytest.raises(ValueError, match="no rows"):
        live.advance([], nothing)
