"""Style, risk and liquidity characteristics of the literature, in the factor language; windows are rows (trading days).

Fundamental inputs are point in time: a row holds what was public then. Corporate actions are the data's business.
"""

from __future__ import annotations

from collections.abc import Iterator

_LOG_HL = "log(high / low)"
_LOG_CO = "log(close / open)"
_LOG_RATIOS = "zscore(log(book_value / market_cap)) + zscore(log(sales / market_cap))"

_ROWS: tuple[tuple[str, str, str, str, str], ...] = (
    ("momentum_12_1", "delay(close, 21) / delay(close, 252) - 1", "return", "momentum", "Jegadeesh and Titman (1993)"),
    ("momentum_6_1", "delay(close, 21) / delay(close, 126) - 1", "return", "momentum", "Jegadeesh and Titman (1993)"),
    ("momentum_intermediate", "delay(close, 126) / delay(close, 252) - 1", "return", "momentum", "Novy-Marx (2012)"),
    ("reversal_1w", "1 - close / delay(close, 5)", "return", "reversal", "Lehmann (1990)"),
    ("reversal_1m", "1 - close / delay(close, 21)", "return", "reversal", "Jegadeesh (1990)"),
    ("high_52w", "close / ts_max(high, 252)", "ratio", "momentum", "George and Hwang (2004)"),
    (
        "risk_adjusted_momentum",
        "(delay(close, 21) / delay(close, 252) - 1) / ts_std(returns, 252)",
        "ratio",
        "momentum",
        "Barroso and Santa-Clara (2015), scaled by own volatility",
    ),
    (
        "momentum_consistency",
        "ts_mean(sign(delay(returns, 21)), 231) * sign(delay(close, 21) / delay(close, 252) - 1)",
        "fraction",
        "momentum",
        "Da, Gurun and Warachka (2014), information discreteness with its sign reversed",
    ),
    (
        "overnight_return_1m",
        "ts_sum(log(open / delay(close, 1)), 21)",
        "log return",
        "momentum",
        "Lou, Polk and Skouras (2019)",
    ),
    ("intraday_return_1m", f"ts_sum({_LOG_CO}, 21)", "log return", "momentum", "Lou, Polk and Skouras (2019)"),
    ("macd", "(ema(close, 12) - ema(close, 26)) / close", "ratio", "trend", "Appel (1979), relative to price"),
    (
        "rsi_14",
        "100 * sma(max(delta(close, 1), 0), 14, 1) / sma(abs(delta(close, 1)), 14, 1)",
        "points",
        "momentum",
        "Wilder (1978), started by the first change",
    ),
    (
        "trend_t",
        "ts_slope(log(close), 63) / ts_std(returns, 63)",
        "ratio",
        "trend",
        "slope of log price in daily volatilities",
    ),
    ("distance_ma_200", "close / ts_mean(close, 200) - 1", "ratio", "trend", "Faber (2007)"),
    (
        "volatility_1m",
        "ts_std(returns, 21)",
        "return per day",
        "volatility",
        "Ang, Hodrick, Xing and Zhang (2006), total",
    ),
    ("volatility_1y", "ts_std(returns, 252)", "return per day", "volatility", "Baker, Bradley and Wurgler (2011)"),
    (
        "downside_volatility",
        "sqrt(ts_mean(min(returns, 0)^2, 63))",
        "return per day",
        "volatility",
        "Markowitz (1959), target 0",
    ),
    ("skewness_1y", "ts_skew(returns, 252)", "moment", "volatility", "Boyer, Mitton and Vorkink (2010), realised"),
    ("kurtosis_1y", "ts_kurt(returns, 252)", "moment", "volatility", "Joanes and Gill (1998), G2"),
    ("max_return_1m", "ts_max(returns, 21)", "return", "volatility", "Bali, Cakici and Whitelaw (2011)"),
    (
        "volatility_of_volume",
        "ts_std(log(volume), 21)",
        "log volume",
        "liquidity",
        "Chordia, Subrahmanyam and Anshuman (2001)",
    ),
    (
        "parkinson_volatility",
        f"sqrt(ts_mean({_LOG_HL}^2, 21) / (4 * log(2)))",
        "return per day",
        "volatility",
        "Parkinson (1980)",
    ),
    (
        "garman_klass_volatility",
        f"sqrt(ts_mean(0.5 * {_LOG_HL}^2 - (2 * log(2) - 1) * {_LOG_CO}^2, 21))",
        "return per day",
        "volatility",
        "Garman and Klass (1980)",
    ),
    (
        "rogers_satchell_volatility",
        "sqrt(ts_mean(log(high / close) * log(high / open) + log(low / close) * log(low / open), 21))",
        "return per day",
        "volatility",
        "Rogers and Satchell (1991)",
    ),
    (
        "market_beta",
        "ts_beta(returns, returns - demean(returns), 252)",
        "ratio",
        "risk",
        "Sharpe (1964); the market is the equal-weighted mean of the panel",
    ),
    (
        "residual_volatility",
        "ts_std(demean(returns), 63)",
        "return per day",
        "risk",
        "Ang, Hodrick, Xing and Zhang (2006), about the equal-weighted market with beta 1",
    ),
    (
        "amihud_illiquidity",
        "ts_mean(abs(returns) / turnover, 21) * 1000000",
        "return per million",
        "liquidity",
        "Amihud (2002)",
    ),
    ("zero_trading", "ts_mean(volume == 0, 21)", "fraction", "liquidity", "Lesmond, Ogden and Trzcinka (1999)"),
    (
        "dollar_volume",
        "log(ts_mean(turnover, 21))",
        "log currency",
        "liquidity",
        "Brennan, Chordia and Subrahmanyam (1998)",
    ),
    ("abnormal_volume", "volume / adv(63)", "ratio", "volume", "Gervais, Kaniel and Mingelgrin (2001)"),
    (
        "roll_spread",
        "2 * sqrt(-1 * min(ts_cov(delta(close, 1), delay(delta(close, 1), 1), 21), 0)) / close",
        "ratio",
        "microstructure",
        "Roll (1984), zero where the covariance is positive",
    ),
    (
        "order_imbalance",
        "(2 * ts_sum(buy_volume, 10) - ts_sum(volume, 10)) / ts_sum(volume, 10)",
        "fraction",
        "microstructure",
        "Chordia, Roll and Subrahmanyam (2002)",
    ),
    (
        "kyle_lambda",
        "ts_beta(returns, 2 * buy_volume - volume, 60)",
        "return per share",
        "microstructure",
        "Kyle (1985), Hasbrouck (2009) regression",
    ),
    ("trade_size", "ts_sum(volume, 10) / ts_sum(trades, 10)", "shares", "microstructure", "Barclay and Warner (1993)"),
    ("close_to_vwap", "close / vwap - 1", "ratio", "microstructure", "Berkowitz, Logue and Noser (1988)"),
    ("size", "-1 * log(market_cap)", "log currency", "size", "Banz (1981), small is high"),
    ("book_to_price", "book_value / market_cap", "ratio", "value", "Fama and French (1992)"),
    ("earnings_yield", "earnings / market_cap", "ratio", "value", "Basu (1977)"),
    ("sales_to_price", "sales / market_cap", "ratio", "value", "Barbee, Mukherji and Raines (1996)"),
    ("cash_flow_yield", "cash_flow / market_cap", "ratio", "value", "Lakonishok, Shleifer and Vishny (1994)"),
    ("dividend_yield", "dividends / market_cap", "ratio", "value", "Litzenberger and Ramaswamy (1979)"),
    (
        "style_size",
        "zscore(-1 * log(market_cap))",
        "standard deviations",
        "style",
        "Fama and French (1993), small is high",
    ),
    (
        "style_value",
        f"zscore({_LOG_RATIOS} + zscore(cash_flow / market_cap))",
        "standard deviations",
        "style",
        "composite of three value ratios as in toraniko 1.1",
    ),
    (
        "style_momentum",
        "zscore(winsorize(compound_exp(delay(returns, 20), 504, 126), 0.01))",
        "standard deviations",
        "style",
        "exponentially weighted compounded return, lagged a month, as in toraniko 1.1",
    ),
    ("gross_profitability", "gross_profit / assets", "ratio", "quality", "Novy-Marx (2013)"),
    ("return_on_equity", "earnings / book_value", "ratio", "quality", "Haugen and Baker (1996)"),
    ("accruals", "(cash_flow - earnings) / assets", "ratio", "quality", "Sloan (1996), low accruals are high"),
    (
        "asset_growth",
        "1 - assets / delay(assets, 252)",
        "ratio",
        "growth",
        "Cooper, Gulen and Schill (2008), low growth is high",
    ),
    ("sales_growth", "sales / delay(sales, 252) - 1", "ratio", "growth", "Lakonishok, Shleifer and Vishny (1994)"),
    (
        "industry_momentum",
        "group_mean(close / delay(close, 126) - 1, industry)",
        "return",
        "momentum",
        "Moskowitz and Grinblatt (1999)",
    ),
    (
        "sector_relative_reversal",
        "-1 * group_neutralize(close / delay(close, 21) - 1, sector)",
        "return",
        "reversal",
        "Da, Liu and Schaumburg (2014), within sector",
    ),
)


def rows() -> Iterator[tuple[str, str, str, str, str]]:
    """Catalogue rows: name, formula, unit, category, source.

    >>> next(rows())[0]
    'momentum_12_1'
    """
    return iter(_ROWS)
