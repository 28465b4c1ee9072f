"""Synthetic panels for the factor tests."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

type Panels = dict[str, NDArray[np.float64]]


def build_panel(dates: int, instruments: int, seed: int = 0, missing: float = 0.0) -> Panels:
    """Every input field: random-walk prices, lognormal volumes, made-up accounts and groups."""
    rng = np.random.default_rng(seed)
    shape = (dates, instruments)
    close = 50 * np.exp(rng.normal(0, 0.02, shape).cumsum(axis=0))
    opened = close * np.exp(rng.normal(0, 0.01, shape))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, 0.01, shape)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, 0.01, shape)))
    volume = np.round(np.exp(rng.normal(10, 0.5, shape)))
    panel = {
        "open": opened, "high": high, "low": low, "close": close, "vwap": (high + low + 2 * close) / 4,
        "volume": volume, "buy_volume": np.round(volume * rng.random(shape)), "trades": np.ceil(volume / 100),
        "market_cap": close * 1e7 * np.exp(rng.normal(0, 1, instruments)),
    }  # fmt: skip
    for name in ("book_value", "earnings", "sales", "cash_flow", "dividends", "assets", "gross_profit"):
        panel[name] = (
            panel["market_cap"] * np.exp(rng.normal(-1, 0.5, instruments)) * np.exp(rng.normal(0, 0.01, shape))
        )
    holes = rng.random(shape) < missing
    for values in panel.values():
        values[holes] = np.nan
    for name, groups in (("sector", 3), ("industry", 5), ("subindustry", 8)):
        codes = rng.integers(0, groups, instruments).astype(np.float64)
        panel[name] = np.broadcast_to(codes, shape).copy()
    return panel


@pytest.fixture(scope="session")
def make_panel() -> Callable[..., Panels]:
    """The builder of synthetic panels."""
    return build_panel


@pytest.fixture(scope="session")
def rolling_reference() -> Callable[..., NDArray[np.float64]]:
    """A window function computed the slow and obvious way: cell by cell, NaN where the window is not complete."""

    def apply(function: Callable[..., float], window: int, *panels: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.full(panels[0].shape, np.nan)
        for row in range(window - 1, out.shape[0]):
            for column in range(out.shape[1]):
                cells = [panel[row - window + 1 : row + 1, column] for panel in panels]
                if not any(np.isnan(values).any() for values in cells):
                    out[row, column] = function(*cells)
        return out

    return apply


@pytest.fixture(scope="session")
def slow_operators(rolling_reference: Callable[..., NDArray[np.float64]]) -> Mapping[str, Callable[..., object]]:
    """The operators of the language, written anew from their definitions with Python loops and scipy."""
    from scipy import stats

    def constant(*series: NDArray[np.float64]) -> bool:
        return any(np.ptp(values) == 0 for values in series)

    def correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        if constant(x, y):
            return np.nan
        value = float(np.corrcoef(x, y)[0, 1])
        return float(np.sign(value)) if abs(value) > 1 - 1e-13 else value

    def line(x: NDArray[np.float64]) -> tuple[float, float]:
        slope, intercept = np.polyfit(np.arange(len(x)), x, 1)
        return float(slope), float(intercept)

    def rsquare(x: NDArray[np.float64]) -> float:
        return np.nan if constant(x) else float(np.corrcoef(np.arange(len(x)), x)[0, 1] ** 2)

    def decay(x: NDArray[np.float64]) -> float:
        return float(np.average(x, weights=np.arange(1, len(x) + 1)))

    def moment(function: Callable[..., float]) -> Callable[[NDArray[np.float64]], float]:
        return lambda x: np.nan if constant(x) else float(function(x, bias=False))

    by_window: dict[str, Callable[..., float]] = {
        "ts_sum": np.sum, "ts_mean": np.mean, "ts_product": np.prod, "ts_min": np.min, "ts_max": np.max,
        "ts_median": np.median, "ts_var": lambda x: np.var(x, ddof=1), "ts_std": lambda x: np.std(x, ddof=1),
        "ts_argmax": lambda x: np.argmax(x) + 1, "ts_argmin": lambda x: np.argmin(x) + 1,
        "ts_rank": lambda x: stats.rankdata(x)[-1] / len(x),
        "ts_zscore": lambda x: np.nan if constant(x) else (x[-1] - np.mean(x)) / np.std(x, ddof=1),
        "ts_skew": moment(stats.skew), "ts_kurt": moment(stats.kurtosis), "ts_slope": lambda x: line(x)[0],
        "ts_rsquare": rsquare, "ts_residual": lambda x: x[-1] - line(x)[1] - line(x)[0] * (len(x) - 1),
        "decay_linear": decay, "ts_corr": correlation,
        "ts_corr_or_zero": lambda x, y: 0.0 if constant(x, y) else correlation(x, y),
        "ts_cov": lambda x, y: np.cov(x, y)[0, 1],
        "ts_beta": lambda y, x: np.nan if constant(x) else np.cov(x, y)[0, 1] / np.var(x, ddof=1),
    }  # fmt: skip

    def windowed(name: str) -> Callable[..., object]:
        def apply(*arguments: object) -> object:
            *panels, window = arguments
            return rolling_reference(by_window[name], int(window), *panels)  # type: ignore[arg-type]

        return apply

    def by_row(function: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Callable[..., object]:
        def apply(x: NDArray[np.float64], *_: object) -> object:
            out = np.full(x.shape, np.nan)
            for row, values in enumerate(x):
                present = ~np.isnan(values)
                if present.sum() >= 2:
                    out[row, present] = function(values[present])
            return out

        return apply

    def delay(x: NDArray[np.float64], rows: float) -> NDArray[np.float64]:
        out = np.full(x.shape, np.nan)
        out[int(rows) :] = x[: -int(rows)]
        return out

    def zscore(values: NDArray[np.float64]) -> NDArray[np.float64]:
        spread = np.std(values, ddof=1)
        return (values - values.mean()) / spread if np.ptp(values) > 0 else np.full(values.shape, np.nan)

    def smooth(weight: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        def apply(x: NDArray[np.float64]) -> NDArray[np.float64]:
            out = np.full(x.shape, np.nan)
            for column in range(x.shape[1]):
                state = np.nan
                for row, value in enumerate(x[:, column]):
                    if not np.isnan(value):
                        state = value if np.isnan(state) else (1 - weight) * state + weight * value
                        out[row, column] = state
            return out

        return apply

    def neutral(x: NDArray[np.float64], groups: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.full(x.shape, np.nan)
        for row in range(len(x)):
            if (~np.isnan(x[row])).sum() < 2:
                continue
            for code in np.unique(groups[row]):
                members = (groups[row] == code) & ~np.isnan(x[row])
                out[row, members] = x[row, members] - x[row, members].mean() if members.any() else np.nan
        return out

    def flag(function: Callable[..., object]) -> Callable[..., object]:
        def apply(x: object, y: object) -> object:
            return np.where(np.isnan(x) | np.isnan(y), np.nan, function(x, y))  # type: ignore[call-overload, operator]

        return apply

    return {
        **{name: windowed(name) for name in by_window},
        "ts_quantile": lambda x, n, q: rolling_reference(lambda v: float(np.quantile(v, q)), int(n), x),
        "decay_exp": lambda x, n, h: rolling_reference(
            lambda v: float(np.average(v, weights=0.5 ** (np.arange(len(v))[::-1] / h))), int(n), x
        ),
        "compound_exp": lambda x, n, h: rolling_reference(
            lambda v: float(np.prod(1 + v * 0.5 ** (np.arange(len(v))[::-1] / h)) - 1), int(n), x
        ),
        "delay": delay,
        "delta": lambda x, n: x - delay(x, n),
        "ema": lambda x, n: smooth(2 / (n + 1))(x),
        "sma": lambda x, n, m: smooth(m / n)(x),
        "rank": by_row(lambda values: stats.rankdata(values) / len(values)),
        "demean": by_row(lambda values: values - values.mean()),
        "zscore": by_row(zscore),
        "scale": by_row(lambda values: values / np.abs(values).sum()),
        "winsorize": lambda x, share=0.05: by_row(lambda v: np.clip(v, *np.quantile(v, [share, 1 - share])))(x),
        "group_neutralize": neutral,
        "group_mean": lambda x, groups: x - neutral(x, groups),
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "neg": np.negative,
        "pow": lambda x, y: np.where(np.isnan(x) | np.isnan(y), np.nan, np.power(x, y)),
        "signedpower": lambda x, y: np.sign(x) * np.abs(x) ** y,
        "abs": np.abs, "sign": np.sign, "log": np.log, "exp": np.exp, "sqrt": np.sqrt,
        "min": np.minimum, "max": np.maximum, "lt": flag(np.less), "le": flag(np.less_equal),
        "gt": flag(np.greater), "ge": flag(np.greater_equal), "eq": flag(np.equal), "ne": flag(np.not_equal),
        "or": flag(lambda x, y: (x != 0) | (y != 0)), "and": flag(lambda x, y: (x != 0) & (y != 0)),
        "where": lambda c, x, y: np.where(np.isnan(c), np.nan, np.where(c != 0, x, y)),
    }  # fmt: skip
