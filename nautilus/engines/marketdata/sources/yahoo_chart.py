"""What Yahoo's chart v8 and its search send, as typed tables: bars, a quote, dividends, splits, symbols.

Yahoo documents nothing of this; what the bodies show:

- A timestamp is the second in which a bar begins; its day is the day at the exchange, which needs the exchange's time
  zone: `gmtoffset` is that of today, not that of the bar.
- Prices, dividends and volumes are adjusted for later splits, `adjusted_close` for later dividends as well. Both
  change when there is a new one, so they are not point in time.
- Prices in pence, cents and agorot are divided into pounds, rand and shekels; `unit` says which currency it is.
- Where the market is open, the last bar is still growing: `complete` is false. It is null where nothing tells.
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import polars as pl

from nautilus.engines.marketdata.sources.answers import json_of
from nautilus.engines.marketdata.sources.cache import Answer
from nautilus.engines.marketdata.sources.client import Reply
from nautilus.engines.marketdata.sources.errors import SourceGarbled
from nautilus.errors import Invalid, NautilusError, NotFound

NAME = "yahoo"
PRICES = ("open", "high", "low", "close")
MINOR_CURRENCIES = {
    "GBp": ("GBP", 100.0),
    "GBX": ("GBP", 100.0),
    "ZAc": ("ZAR", 100.0),
    "ILA": ("ILS", 100.0),
    "KWF": ("KWD", 1000.0),
}
"""What prices are quoted in, and how many of it make one of the currency."""
SPANS = {"1d": "1d", "1wk": "1w", "1mo": "1mo", "3mo": "3mo"}
"""Bars of days and longer, as durations of Polars."""


class Session(msgspec.Struct, frozen=True):
    """When a market opens and closes, in seconds since 1970 UTC."""

    start: int
    end: int


class TradingPeriod(msgspec.Struct, frozen=True):
    """The session under way, or the next one."""

    regular: Session | None = None


class ChartMeta(msgspec.Struct, frozen=True, rename="camel"):
    """What is known of the instrument beside its bars."""

    symbol: str
    exchange_timezone_name: str
    data_granularity: str
    currency: str | None = None
    instrument_type: str | None = None
    full_exchange_name: str | None = None
    long_name: str | None = None
    short_name: str | None = None
    regular_market_time: int | None = None
    regular_market_price: float | None = None
    regular_market_day_high: float | None = None
    regular_market_day_low: float | None = None
    regular_market_volume: int | None = None
    fifty_two_week_high: float | None = None
    fifty_two_week_low: float | None = None
    previous_close: float | None = None
    chart_previous_close: float | None = None
    current_trading_period: TradingPeriod = TradingPeriod()

    @property
    def unit(self) -> tuple[str | None, float]:
        """The currency, and by what prices are divided to be in it."""
        return MINOR_CURRENCIES.get(self.currency or "", (self.currency, 1.0))


class QuoteColumns(msgspec.Struct, frozen=True):
    """Bars, one list a column; the lists are missing where there is no bar."""

    open: list[float | None] = []
    high: list[float | None] = []
    low: list[float | None] = []
    close: list[float | None] = []
    volume: list[float | None] = []


class AdjustedColumns(msgspec.Struct, frozen=True):
    """Closes adjusted for splits and dividends."""

    adjclose: list[float | None] = []


class Indicators(msgspec.Struct, frozen=True):
    """All columns of a chart."""

    quote: list[QuoteColumns]
    adjclose: list[AdjustedColumns] = []


class Dividend(msgspec.Struct, frozen=True):
    """Cash a share; `date` is the opening of the first session without it."""

    amount: float
    date: int


class Split(msgspec.Struct, frozen=True):
    """`numerator` shares for `denominator` old ones."""

    date: int
    numerator: float
    denominator: float


class Events(msgspec.Struct, frozen=True):
    """What happened to the shares in the time of the chart."""

    dividends: dict[str, Dividend] = {}
    splits: dict[str, Split] = {}


class Chart(msgspec.Struct, frozen=True):
    """One instrument's answer."""

    meta: ChartMeta
    indicators: Indicators
    timestamp: list[int] = []
    events: Events = Events()


class ChartError(msgspec.Struct, frozen=True):
    """Why there is no chart."""

    code: str = ""
    description: str | None = None


class ChartEnvelope(msgspec.Struct, frozen=True):
    """Charts, or the reason why there is none."""

    result: list[Chart] | None = None
    error: ChartError | None = None


class ChartBody(msgspec.Struct, frozen=True):
    """The body of /v8/finance/chart."""

    chart: ChartEnvelope


class FoundSymbol(msgspec.Struct, frozen=True, rename={"type": "quoteType", "exchange": "exchDisp"}):
    """One instrument that a search found."""

    symbol: str | None = None
    shortname: str | None = None
    longname: str | None = None
    type: str | None = None
    exchange: str | None = None


class SearchBody(msgspec.Struct, frozen=True):
    """The body of /v1/finance/search."""

    quotes: list[FoundSymbol]


def decode_chart(answer: Answer, symbol: str, interval: str) -> Chart:
    """The chart of a symbol. Raises NotFound, Invalid, and SourceGarbled for another chart or none."""
    envelope = json_of(NAME, answer, ChartBody).chart
    if envelope.error is not None:
        raise error_of(envelope.error, symbol)
    if not envelope.result:
        raise NotFound("series of yahoo", symbol)
    chart = envelope.result[0]
    if chart.meta.symbol.upper() != symbol.upper():
        raise SourceGarbled(NAME, f"answers with the chart of {chart.meta.symbol!r} in place of {symbol!r}")
    if not _same_interval(chart.meta.data_granularity, interval):
        raise SourceGarbled(NAME, f"answers with bars of {chart.meta.data_granularity} in place of {interval}")
    try:
        ZoneInfo(chart.meta.exchange_timezone_name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SourceGarbled(NAME, f"answers with a time zone {chart.meta.exchange_timezone_name!r}") from None
    bars_frame(chart, interval)  # an answer that cannot be a table is not believed
    return chart


def error_of(error: ChartError, symbol: str) -> NautilusError:
    """What Yahoo's reason for an empty answer means."""
    said = error.description or error.code or "no reason given"
    if error.code == "Not Found" or "delisted" in said:
        return NotFound("series of yahoo", symbol)
    if error.code in ("Bad Request", "Unprocessable Entity"):
        return Invalid("start" if "start" in said.lower() else "series", f"yahoo says: {said}")
    return SourceGarbled(NAME, f"answers with the error {error.code!r}: {said}")


def bars_frame(chart: Chart, interval: str) -> pl.DataFrame:
    """The bars, oldest first, without those in which nothing was quoted.

    Days and longer have `period_start` and `period_end`, the others `time`. Prices are in `unit`, the volume in
    shares, contracts or coins. Raises SourceGarbled where columns do not belong together.
    """
    unit, divisor = chart.meta.unit
    frame = _columns(chart).with_columns(pl.col(*PRICES, "adjusted_close") / divisor)
    frame = frame.filter(pl.any_horizontal(pl.col(*PRICES).is_not_null()))
    frame = frame.sort("time").unique("time", keep="last", maintain_order=True)
    frame = frame.with_columns(pl.lit(unit, pl.String).alias("unit"))
    span = SPANS.get(interval)
    if span is None:
        return frame.drop("adjusted_close").with_columns(_minutes_complete(chart.meta, interval).alias("complete"))
    if (
        span != "1d"
        and frame.height
        and frame["time"].to_physical()[-1] == _nanoseconds(chart.meta.regular_market_time)
    ):
        frame = frame.head(-1)  # the last price, sent as one more bar
    first = day_of(pl.col("time"), chart.meta.exchange_timezone_name)
    last = first.dt.offset_by(span).dt.offset_by("-1d")
    frame = frame.select(first.alias("period_start"), last.alias("period_end"), pl.exclude("time"))
    frame = frame.with_columns(_days_complete(chart.meta, span).alias("complete"))
    # while a session lasts, its bar may come twice: at its opening, and as the last price
    return frame.unique("period_start", keep="last", maintain_order=True)


def dividends_frame(chart: Chart) -> pl.DataFrame:
    """Cash a share, by the first day without it: `value` in `unit`, adjusted for later splits."""
    paid = sorted(chart.events.dividends.values(), key=lambda one: one.date)
    unit, divisor = chart.meta.unit
    return _event_days(chart, [one.date for one in paid]).with_columns(
        pl.Series("value", [one.amount / divisor for one in paid], pl.Float64), pl.lit(unit, pl.String).alias("unit")
    )


def splits_frame(chart: Chart) -> pl.DataFrame:
    """New shares for each old one, by the first day on which prices are after the split: `value`, and both numbers."""
    made = sorted(chart.events.splits.values(), key=lambda one: one.date)
    if any(one.denominator <= 0 or one.numerator <= 0 for one in made):
        raise SourceGarbled(NAME, "answers with a split of no shares")
    return _event_days(chart, [one.date for one in made]).with_columns(
        pl.Series("value", [one.numerator / one.denominator for one in made], pl.Float64),
        pl.lit("new shares for an old one").alias("unit"),
        pl.Series("numerator", [one.numerator for one in made], pl.Float64),
        pl.Series("denominator", [one.denominator for one in made], pl.Float64),
    )


def quote_frame(chart: Chart) -> pl.DataFrame:
    """One row: the last price (`value` in `unit`) at `time`, the close before it, and the ranges of day and year."""
    meta = chart.meta
    unit, divisor = meta.unit
    previous = meta.previous_close if meta.previous_close is not None else meta.chart_previous_close
    prices = {
        "value": meta.regular_market_price,
        "previous_close": previous,
        "day_high": meta.regular_market_day_high,
        "day_low": meta.regular_market_day_low,
        "year_high": meta.fifty_two_week_high,
        "year_low": meta.fifty_two_week_low,
    }
    return pl.DataFrame(
        [
            pl.Series("series", [meta.symbol], pl.String),
            pl.Series("time", [_nanoseconds(meta.regular_market_time)], pl.Int64).cast(pl.Datetime("ns", "UTC")),
            *(pl.Series(name, [value], pl.Float64) / divisor for name, value in prices.items()),
            pl.Series("volume", [meta.regular_market_volume], pl.Float64),
            pl.Series("unit", [unit], pl.String),
            pl.Series("title", [meta.long_name or meta.short_name], pl.String),
            pl.Series("instrument_type", [meta.instrument_type], pl.String),
            pl.Series("exchange", [meta.full_exchange_name], pl.String),
            pl.Series("timezone", [meta.exchange_timezone_name], pl.String),
        ]
    )


def explain_reply(reply: Reply, symbol: str) -> NautilusError | None:
    """The reason in the body of a refusal; None where there is none, or it is about the number of requests."""
    if reply.status not in (400, 404, 422):
        return None
    try:
        error = msgspec.json.decode(reply.body, type=ChartBody).chart.error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return None if error is None else error_of(error, symbol)


def search_frame(answer: Answer) -> pl.DataFrame:
    """Symbols that were found, best first; what is no instrument is left out."""
    found = [one for one in json_of(NAME, answer, SearchBody).quotes if one.symbol]
    return pl.DataFrame(
        {
            "series": [one.symbol for one in found],
            "title": [one.longname or one.shortname or one.symbol for one in found],
            "instrument_type": [one.type for one in found],
            "exchange": [one.exchange for one in found],
        },
        schema=dict.fromkeys(("series", "title", "instrument_type", "exchange"), pl.String),
    )


def _columns(chart: Chart) -> pl.DataFrame:
    """The lists of a chart side by side, checked to belong together."""
    rows = len(chart.timestamp)
    quotes = chart.indicators.quote[0] if chart.indicators.quote else QuoteColumns()
    columns = {name: getattr(quotes, name) for name in (*PRICES, "volume")}
    columns["adjusted_close"] = chart.indicators.adjclose[0].adjclose if chart.indicators.adjclose else []
    for name, values in columns.items():
        if values and len(values) != rows:
            raise SourceGarbled(NAME, f"answers with {len(values)} values of {name} for {rows} times")
    times = pl.Series("time", [_nanoseconds(second) for second in chart.timestamp], pl.Int64)
    missing: list[float | None] = [None] * rows
    filled = [pl.Series(name, values or missing, pl.Float64) for name, values in columns.items()]
    return pl.DataFrame([times.cast(pl.Datetime("ns", "UTC")), *filled])


def _days_complete(meta: ChartMeta, span: str) -> pl.Expr:
    """Whether bars of days and longer were over at the time of the last price; null where that is not said."""
    last = meta.regular_market_time
    if last is None:
        return pl.lit(None, pl.Boolean)
    today = day_of(pl.lit(_nanoseconds(last)).cast(pl.Datetime("ns", "UTC")), meta.exchange_timezone_name)
    over = pl.col("period_end") < today
    return over if span != "1d" or _is_open(meta, last) else over | (pl.col("period_end") == today)


def _minutes_complete(meta: ChartMeta, interval: str) -> pl.Expr:
    """Whether bars within the day were over at the time of the last price, or their session was."""
    last = meta.regular_market_time
    if last is None:
        return pl.lit(None, pl.Boolean)
    if not _is_open(meta, last):
        return pl.lit(value=True)
    length = int(interval[:-1]) * (3600 if interval.endswith("h") else 60)
    return pl.col("time").to_physical() <= (last - length) * 1_000_000_000


def _is_open(meta: ChartMeta, second: int) -> bool:
    session = meta.current_trading_period.regular
    return session is not None and session.start <= second < session.end


def _event_days(chart: Chart, seconds: Sequence[int]) -> pl.DataFrame:
    times = pl.Series("time", [_nanoseconds(second) for second in seconds], pl.Int64).cast(pl.Datetime("ns", "UTC"))
    day = day_of(pl.col("time"), chart.meta.exchange_timezone_name)
    return pl.DataFrame([times]).select(day.alias("period_start"), day.alias("period_end"))


def day_of(time: pl.Expr, timezone: str) -> pl.Expr:
    """The day at the exchange, whose time zone is an IANA name."""
    return time.dt.convert_time_zone(timezone).dt.date()


def _same_interval(sent: str, wanted: str) -> bool:
    return sent == wanted or {sent, wanted} == {"60m", "1h"}


def _nanoseconds(second: int | None) -> int | None:
    return None if second is None else second * 1_000_000_000
