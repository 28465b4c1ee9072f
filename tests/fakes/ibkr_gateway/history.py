"""Bars that a gateway holds, which of them a request's end and duration mean, and how they are written."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType

from tests.fakes.ibkr_gateway.wire import BadMessage, Field, as_datetime, epoch, zoned

UNITS = MappingProxyType(
    {
        "S": timedelta(seconds=1),
        "D": timedelta(days=1),
        "W": timedelta(days=7),
        "M": timedelta(days=31),
        "Y": timedelta(days=366),
    }
)


@dataclass(frozen=True)
class Bar:
    """One bar, by its beginning: an aware datetime or epoch seconds, or a date for bars of a day and longer."""

    time: datetime | date | float
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    average: float = 0.0
    count: int = 0

    @property
    def moment(self) -> datetime:
        """When it begins."""
        return as_datetime(self.time)

    def written_time(self, format_date: int, zone: str) -> str:
        """As a request wants it: 1 the exchange's time and zone, 2 epoch seconds; days are days either way."""
        if isinstance(self.time, date) and not isinstance(self.time, datetime):
            return self.time.strftime("%Y%m%d")
        return str(epoch(self.moment)) if format_date == 2 else zoned(self.moment, zone)

    def fields(self, format_date: int, zone: str) -> list[Field]:
        """In the order of historical data (17)."""
        prices = (self.open, self.high, self.low, self.close)
        return [self.written_time(format_date, zone), *prices, self.volume, self.average, self.count]

    def update_fields(self, format_date: int, zone: str) -> list[Field]:
        """In the order of a bar that is kept up to date (90), which differs."""
        written = self.written_time(format_date, zone)
        return [self.count, written, self.open, self.close, self.high, self.low, self.average, self.volume]


def duration(written: str) -> timedelta:
    """`3600 S`, `2 D`, `1 W`, `1 M`, `1 Y` as calendar time. Raises BadMessage."""
    number, _, unit = written.partition(" ")
    if not number.isdigit() or unit not in UNITS:
        raise BadMessage(f"not a duration: {written!r}")
    return int(number) * UNITS[unit]


def within(bars: Sequence[Bar], end: datetime | None, length: timedelta) -> list[Bar]:
    """The bars that begin before the end and not more than the length before it; no end: the last bar's."""
    if not bars:
        return []
    if end is None:
        begin = bars[-1].moment - length
        return [bar for bar in bars if bar.moment > begin]
    return [bar for bar in bars if end - length <= bar.moment < end]


def put(bars: list[Bar], bar: Bar) -> None:
    """Replace the bar that begins at the same time, or add it in its place."""
    for index, existing in enumerate(bars):
        if existing.moment == bar.moment:
            bars[index] = bar
            return
    bars.append(bar)
    bars.sort(key=lambda each: each.moment)
