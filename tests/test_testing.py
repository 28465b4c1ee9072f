"""What tests are given: a node that stands still, things to trade, and captured messages."""

from decimal import Decimal

import pytest

from nautilus.clock import TestClock
from nautilus.model import Quote, Side, topics
from nautilus.testing import START_NS, Capture, make_instrument, make_node, make_quote, make_trade


async def test_a_test_node_stands_still_in_memory_and_without_market_data() -> None:
    async with make_node(name for name in ["marketdata"]) as node:
        assert list(node.engines) == ["marketdata"]
        assert node["marketdata"].config.source == "none"
        assert isinstance(node.clock, TestClock)
        assert node.clock.timestamp_ns() == START_NS
        assert node.config.store.directory == ":memory:"
    assert TestClock(5).timestamp_ns() == 5


async def test_options_overrule_what_a_test_node_would_choose() -> None:
    clock = TestClock(7)
    node = make_node(["marketdata"], {"engines.marketdata.source": "simulated", "name": "other"}, clock=clock)
    assert (node.config.name, node.clock, node["marketdata"].config.source) == ("other", clock, "simulated")
    await node.stop()


async def test_a_capture_collects_until_it_is_closed() -> None:
    async with make_node([]) as node:
        quotes: Capture[Quote] = Capture(node.bus, topics.ALL_QUOTES)
        quote = make_quote()
        node.bus.publish(topics.quote("TEST.SIM"), quote)
        quotes.close()
        node.bus.publish(topics.quote("TEST.SIM"), quote)
        assert len(quotes) == 1
        assert quotes.messages[0] is quote
        assert node.bus.subscriptions == ()


def test_made_things_fit_together() -> None:
    instrument = make_instrument("A.X", tick_size=Decimal("0.5"))
    assert instrument.price(make_quote().bid_ticks) == 5000.0
    assert make_trade(aggressor=Side.SELL).aggressor is Side.SELL
    with pytest.raises(TypeError):
        make_instrument(nonsense=1)
