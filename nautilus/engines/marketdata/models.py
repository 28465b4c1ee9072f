"""Configuration, requests and answers of the marketdata engine; prices and sizes in currency and units."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from nautilus.engines.base import EngineConfig
from nautilus.engines.marketdata.admission import Refusal
from nautilus.engines.marketdata.bar_rule import RULE_PATTERN, BarRule
from nautilus.engines.marketdata.fundamental import Episode
from nautilus.engines.marketdata.simulated_market import InstrumentTruth
from nautilus.engines.marketdata.sources.settings import SourcesConfig
from nautilus.errors import Invalid
from nautilus.model import Quality

BarSpecText = Annotated[str, Meta(pattern=RULE_PATTERN, examples=["60s", "100t", "5000v", "5000000d", "500vib"])]


class MarketDataConfig(EngineConfig, frozen=True, kw_only=True):
    """Where market data come from, and what is derived from them and kept."""

    source: Annotated[
        Literal["simulated", "replay", "none"],
        Meta(description='"simulated": an invented market; "replay": recorded data; "none": what others publish.'),
    ] = "simulated"
    seed: Annotated[int, Meta(ge=0, le=2**53, description="Seed of the simulated market.")] = 1
    events_per_second: Annotated[
        float, Meta(gt=0, le=2000, description="Order events a second of each simulated instrument.")
    ] = 25.0
    informed_probability: Annotated[
        float, Meta(ge=0, le=1, description="Share of periods with informed trading in the simulated market.")
    ] = 0.25
    episode_seconds: Annotated[float, Meta(ge=1, le=86_400, description="Length of those periods in seconds.")] = 60.0
    replay_path: Annotated[
        str, Meta(description='File or folder to replay; "catalog" replays what this node has recorded.')
    ] = ""
    replay_speed: Annotated[str | float, Meta(description='"max", or a multiple of real time.')] = "max"
    replay_policy: Annotated[
        Literal["refuse", "skip"],
        Meta(description='Rows of tick files that cannot be true: "refuse" the file, or "skip" and count them.'),
    ] = "refuse"
    bars: Annotated[
        tuple[BarSpecText, ...],
        Meta(
            max_length=16,
            description="Bars to build: seconds (s), trades (t), lots (v), value in ticks times lots (d); imbalance "
            "(tib, vib, dib) and runs (trb, vrb, drb) with the trades of the first bar.",
        ),
    ] = ("1s", "60s", "100t", "5000v")
    depth_levels: Annotated[int, Meta(ge=1, le=100, description="Levels of each side in published depth.")] = 10
    depth_interval_ms: Annotated[
        int, Meta(ge=0, le=60_000, description="Least event time between two depths of an instrument.")
    ] = 100
    trades_kept: Annotated[int, Meta(ge=1, le=100_000, description="Latest trades kept of each instrument.")] = 1000
    bars_kept: Annotated[int, Meta(ge=1, le=1_000_000, description="Latest bars kept of each instrument and spec.")] = (
        5000
    )
    record: Annotated[
        Literal["auto", "always", "never"],
        Meta(description='Write events to the catalog; "auto": unless replaying or keeping the store in memory.'),
    ] = "auto"
    record_seconds: Annotated[float, Meta(ge=1, le=3600, description="Time between writes to the catalog.")] = 30.0
    record_capacity: Annotated[
        int,
        Meta(ge=1000, le=100_000_000, description="Events that may wait for the catalog; more are dropped, counted."),
    ] = 1_000_000
    sources: SourcesConfig = SourcesConfig()

    def __post_init__(self) -> None:
        for text in self.bars:
            try:
                BarRule.parse(text)
            except Invalid as error:
                raise Invalid("bars", f"{text}: {error.reason}") from None


class QuoteView(msgspec.Struct, frozen=True, kw_only=True):
    """Best bid and ask. A price of an empty side is null; `microprice` leans to the thinner side."""

    instrument_id: str
    bid: float | None
    ask: float | None
    bid_size: float
    ask_size: float
    mid: float | None
    spread: float | None
    microprice: float | None
    last: float | None
    ts_event: int
    ts_init: int


class TradeView(msgspec.Struct, frozen=True, kw_only=True):
    """One execution; `aggressor` is 1 where a buyer took liquidity, -1 a seller, 0 unknown."""

    instrument_id: str
    price: float
    size: float
    aggressor: int
    trade_id: int
    ts_event: int
    ts_init: int


class BookView(msgspec.Struct, frozen=True, kw_only=True):
    """The book by level, best first: (price, size). `bid_levels` and `ask_levels` count all levels known.

    `imbalance` is (bids - asks) / (bids + asks) over the levels shown, in [-1, 1]. `buy_vwap` and `sell_vwap` are
    the mean prices that a market order of the asked size would get, null where the book is too thin.
    """

    instrument_id: str
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]
    bid_levels: int
    ask_levels: int
    mid: float | None
    microprice: float | None
    imbalance: float | None
    buy_vwap: float | None
    sell_vwap: float | None
    is_crossed: bool
    is_locked: bool
    ts_event: int


class BarView(msgspec.Struct, frozen=True, kw_only=True):
    """One bar; `ts_event` is its close."""

    instrument_id: str
    spec: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    buy_volume: float
    trade_count: int
    ts_open: int
    ts_event: int


class RecordingStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Recording so far, in events."""

    enabled: bool
    waiting: int = 0
    written: int = 0
    dropped: int = 0
    failure: str = ""


class MarketDataStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where data come from and what happened to them. `refused` counts by kind and reason."""

    source: str
    description: str
    quality: Quality
    seed: int | None
    speed: str | None
    instruments: int
    messages: int | None
    messages_done: int | None
    finished: bool
    admitted: dict[str, int]
    refused: dict[str, int]
    recent_refusals: list[Refusal]
    skipped_rows: dict[str, int]
    crossed_books: int
    late_trades: int
    recording: RecordingStatus


class FlashCrashRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which simulated instrument falls (all where null), by which fraction, and within how many seconds."""

    instrument_id: Annotated[str, Meta(max_length=40)] | None = None
    depth: Annotated[float, Meta(ge=0.005, le=0.3)] = 0.08
    seconds: Annotated[float, Meta(ge=1, le=120)] = 10.0


class FlashCrashStarted(msgspec.Struct, frozen=True, kw_only=True):
    """The crash that was set off; times in ns UTC."""

    instrument_ids: list[str]
    depth: float
    start_ns: int
    end_ns: int


class SimulationTruth(msgspec.Struct, frozen=True, kw_only=True):
    """What only the simulation knows: true values, and who traded on them."""

    seed: int
    now_ns: int
    informed_probability: float
    episode_seconds: float
    instruments: list[InstrumentTruth]
    current_episodes: list[Episode]
    past_episodes: list[Episode]


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Recorded rows as columns, oldest first; prices in ticks, sizes in lots, times in ns UTC."""

    instrument_id: str
    kind: str
    rows: int
    columns: dict[str, list[int]]
