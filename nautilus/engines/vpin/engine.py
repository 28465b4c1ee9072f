"""The vpin engine: order-flow toxicity of every instrument that trades, bucket by bucket."""

from collections import deque
from typing import Any

import msgspec

from nautilus.clock import TimeEvent
from nautilus.engines.base import Engine
from nautilus.engines.operation import Operation
from nautilus.engines.vpin.buckets import pour, signed_buckets
from nautilus.engines.vpin.bulk_volume import causal_buy_share
from nautilus.engines.vpin.estimator import VpinPoint
from nautilus.engines.vpin.live_vpin import LiveVpin
from nautilus.engines.vpin.models import SECOND_NS, InstrumentSettings, VpinConfig, VpinState
from nautilus.engines.vpin.routes import vpin_routes
from nautilus.engines.vpin.time_bars import time_bars
from nautilus.engines.vpin.trade_sides import tick_rule
from nautilus.engines.vpin.vpin_series import rolling_vpin
from nautilus.errors import NotReady
from nautilus.model import topics
from nautilus.model.enums import EngineType
from nautilus.model.market import Quote, Trade
from nautilus.model.messages import ToxicityAlert, VpinCalculation

ALERTS_KEPT = 1000
SNAPSHOT_VERSION = 1


class VpinEngine(Engine[VpinConfig]):
    """Pours every trade into its instrument's buckets and publishes VPIN as buckets complete, alerts as levels
    change."""

    name = "vpin"
    prefix = "/vpin"
    engine_type = EngineType.VPIN
    config_type = VpinConfig
    depends_on = ("marketdata",)
    kernels = (tick_rule, time_bars, causal_buy_share, signed_buckets, pour, rolling_vpin)

    async def setup(self) -> None:
        """Listen to trades, and to quotes where the rule for sides needs them; end time bars by the clock."""
        self._live: dict[str, LiveVpin] = {}
        self._alerts: deque[ToxicityAlert] = deque(maxlen=ALERTS_KEPT)
        self._bar_ns = round(self.config.bar_seconds * SECOND_NS)
        self.subscribe(topics.ALL_TRADES, self.on_trade)
        if self.config.side_rule == "lee_ready":
            self.subscribe(topics.ALL_QUOTES, self.on_quote)
        self.every(max(self._bar_ns, SECOND_NS), self.on_timer)

    def routes(self) -> list[Operation]:
        """HTTP operations below /vpin."""
        return vpin_routes(self)

    # -- market data ---------------------------------------------------------------------------------------------

    def on_trade(self, trade: Trade) -> None:
        """Take a trade; one of an instrument that the node does not know is left alone."""
        live = self._live.get(trade.instrument_id) or self._open(trade.instrument_id)
        if live is not None and (points := live.on_trade(trade)):
            self._emit(live, points)

    def on_quote(self, quote: Quote) -> None:
        """Take a quote."""
        if live := self._live.get(quote.instrument_id) or self._open(quote.instrument_id):
            live.on_quote(quote.bid_ticks, quote.ask_ticks)

    def on_timer(self, event: TimeEvent) -> None:
        """End the time bars that were over one bar ago: trades still on their way have had time to come in."""
        ended_by = event.ts_event - self._bar_ns
        for live in self._live.values():
            if points := live.advance(ended_by):
                self._emit(live, points)

    def _open(self, instrument_id: str) -> LiveVpin | None:
        if instrument_id not in self.instruments:
            return None
        live = self._live[instrument_id] = LiveVpin(instrument_id, self.config, self._default_settings())
        return live

    def _default_settings(self) -> InstrumentSettings:
        return InstrumentSettings(bucket_lots=self.config.bucket_lots, thresholds=self.config.thresholds)

    def _emit(self, live: LiveVpin, points: "list[VpinPoint] | tuple[()]") -> None:
        for point in points:
            before, was_active = live.level, live.alert_active
            level = live.judge(point)
            vpin, cdf = live.headline(point)
            if vpin is None:
                continue
            self.publish(topics.vpin(live.instrument_id), self._calculation(live, point, vpin, cdf))
            if level != before and (was_active or live.alert_active):
                alert = ToxicityAlert(
                    ts_event=point.bucket.ts_close,
                    instrument_id=live.instrument_id,
                    level=level,
                    active=live.alert_active,
                    vpin=vpin,
                    cdf=cdf,
                )
                self._alerts.append(alert)
                self.publish(topics.toxicity(live.instrument_id), alert)

    def _calculation(self, live: LiveVpin, point: VpinPoint, vpin: float, cdf: float | None) -> VpinCalculation:
        bucket = point.bucket
        bulk = self.config.classification == "bulk"
        return VpinCalculation(
            ts_event=bucket.ts_close,
            instrument_id=live.instrument_id,
            vpin=vpin,
            cdf=cdf,
            level=live.level,
            classification=self.config.classification,
            bucket_index=bucket.index,
            bucket_lots=bucket.lots,
            buy_lots=bucket.bulk_buy_lots if bulk else float(bucket.buy_lots),
            sell_lots=bucket.lots - bucket.bulk_buy_lots if bulk else float(bucket.sell_lots),
        )

    # -- questions -----------------------------------------------------------------------------------------------

    def live(self, instrument_id: str) -> LiveVpin:
        """The live VPIN of an instrument; raises NotFound, and NotReady before its first trade."""
        live = self._live.get(self.instruments[instrument_id].id)
        if live is None:
            raise NotReady(f"no trade of {instrument_id} has been seen yet")
        return live

    def active(self) -> list[VpinState]:
        """State of every instrument with a complete bucket, most toxic first."""
        states = [live.state() for live in self._live.values() if live.history]
        return sorted(states, key=lambda state: (state.cdf or 0.0, state.vpin or 0.0), reverse=True)

    def alerts(self, instrument_id: str, limit: int) -> list[ToxicityAlert]:
        """The last alerts of one instrument, or of all where it is empty; newest first."""
        wanted = (alert for alert in reversed(self._alerts) if instrument_id in ("", alert.instrument_id))
        return [alert for _, alert in zip(range(limit), wanted, strict=False)]

    def settings(self, instrument_id: str) -> InstrumentSettings:
        """What holds for one instrument; raises NotFound."""
        live = self._live.get(self.instruments[instrument_id].id)
        return live.settings if live is not None else self._default_settings()

    def configure(self, instrument_id: str, settings: InstrumentSettings) -> InstrumentSettings:
        """Change what holds for one instrument, for good; raises NotFound."""
        live = self._live.get(instrument_id) or self._open(self.instruments[instrument_id].id)
        if live is not None:
            live.configure(settings)
        return settings

    # -- restart -------------------------------------------------------------------------------------------------

    def snapshot(self) -> bytes | None:
        """Every instrument's buckets, window, distribution, level and settings."""
        taken = {name: state for name, live in self._live.items() if (state := live.snapshot()) is not None}
        return msgspec.msgpack.encode({"version": SNAPSHOT_VERSION, "instruments": taken}) if taken else None

    def restore(self, data: bytes) -> None:
        """Take back a snapshot; an instrument whose VPIN is defined otherwise now begins anew."""
        saved: dict[str, Any] = msgspec.msgpack.decode(data)
        if saved["version"] != SNAPSHOT_VERSION:
            self.log.warning("vpin.snapshot_of_another_version", version=saved["version"])
            return
        for instrument_id, state in saved["instruments"].items():
            live = LiveVpin(instrument_id, self.config, self._default_settings())
            if live.restore(state):
                self._live[instrument_id] = live
            else:
                self.log.info("vpin.begins_anew", instrument_id=instrument_id)
