"""On a market whose informed fraction and crashes are known: are they found?"""

import numpy as np

from nautilus.engines.enhanced_vpin import estimate_pin
from nautilus.engines.marketdata.simulated_market import SimulatedMarket, invented_instruments
from nautilus.model import Trade
from nautilus.testing import Capture, make_node

MINUTE = 60_000_000_000
PERIODS = 60


def test_the_informed_fraction_lies_in_the_confidence_interval_of_pin():
    market = SimulatedMarket(invented_instruments()[:2], seed=3, start_ns=0)
    counts = {truth.instrument_id: np.zeros((PERIODS, 2)) for truth in market.truth()}
    for period in range(PERIODS):
        trades = [event for event in market.step((period + 1) * MINUTE - 1) if isinstance(event, Trade)]
        for instrument_id, _, side in {(t.instrument_id, t.ts_event, int(t.aggressor)) for t in trades}:
            counts[instrument_id][period, 0 if side > 0 else 1] += 1
    for truth in market.truth():
        estimate = estimate_pin(*counts[truth.instrument_id].T.copy())
        assert abs(estimate.pin - truth.informed_fraction) < 1.96 * estimate.standard_error
        assert estimate.standard_error < 0.06


async def test_a_flash_crash_is_seen_in_the_instrument_that_crashes():
    options = {"engines.marketdata.source": "simulated", "engines.enhanced_vpin.interval_seconds": 1.0}
    async with make_node(["marketdata", "vpin", "enhanced_vpin"], options) as node:
        alerts = Capture(node.bus, "flash_crash.>")
        vpins = Capture(node.bus, "vpin.>")
        for _ in range(90):
            node.clock.advance_time(1_000_000_000)
        assert len(alerts) == 0
        node["marketdata"].market.flash_crash("CHRL.SIM", depth=0.2, seconds=10.0)
        for _ in range(20):
            node.clock.advance_time(1_000_000_000)
        assert {alert.instrument_id for alert in alerts.messages} == {"CHRL.SIM"}
        assert len(vpins) > 0
        assert node["enhanced_vpin"].stats.errors == node["vpin"].stats.errors == 0
