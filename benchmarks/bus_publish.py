"""Publishes per second on the bus with 0, 1 and 10 inline subscribers, beside NautilusTrader 2's message bus."""

from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.measure import alternate, spread
from nautilus.bus import Bus
from nautilus.model import topics
from nautilus.testing import make_quote

MESSAGES = 500_000


class Handler:
    def __init__(self) -> None:
        self.count = 0

    def on(self, _: Any) -> None:
        self.count += 1


def loop(publish: Callable[[Any, Any], Any], topic: Any, message: Any) -> None:
    for _ in range(MESSAGES):
        publish(topic, message)


def ours(subscribers: int) -> Callable[[], None]:
    bus, quote = Bus(), make_quote()
    for _ in range(subscribers):
        bus.subscribe(topics.ALL_QUOTES, Handler().on)
    return lambda: loop(bus.publish, topics.quote(quote.instrument_id), quote)


def theirs(subscribers: int) -> Callable[[], None]:
    from nautilus_trader.common import MessageBus
    from nautilus_trader.model import InstrumentId, Price, Quantity, QuoteTick, TraderId

    size = Quantity.from_str("1")
    instrument = InstrumentId.from_str("BTCUSDT.BINANCE")
    quote = QuoteTick(instrument, Price.from_str("100.01"), Price.from_str("100.02"), size, size, 1, 1)
    bus = MessageBus(TraderId("T-001"))
    for _ in range(subscribers):
        bus.subscribe("data.quotes.*", Handler().on)
    return lambda: loop(bus.publish, "data.quotes.BTCUSDT", quote)


def main() -> None:
    try:
        import nautilus_trader

        peer = f"NautilusTrader {nautilus_trader.__version__}"
    except ImportError:
        peer = ""
        print("NautilusTrader is not installed (make bench installs it): ours alone")
    for subscribers in (0, 1, 10):
        systems = {"Nautilus": ours(subscribers)}
        if peer:
            systems[peer] = theirs(subscribers)
        found = alternate(systems)
        for name, times in found.items():
            print(f"{subscribers:>3} subscribers  {name:<26} {spread([MESSAGES / one for one in times])} publishes/s")
        if peer:
            ratios = [theirs / ours for ours, theirs in zip(found["Nautilus"], found[peer], strict=True)]
            ratio = median(found[peer]) / median(found["Nautilus"])
            print(
                f"{subscribers:>3} subscribers  ours over theirs: ratio of medians {ratio:.2f}, "
                f"pair by pair {min(ratios):.2f} to {max(ratios):.2f}"
            )
