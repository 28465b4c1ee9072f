"""The live view of one instrument: what its quotes, trades and VPIN say, and the recommendation that follows."""

from collections import deque

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus.engines.enhanced_vpin.compute import spread_estimates
from nautilus.engines.enhanced_vpin.flash_crash import CrashInputs, CrashScore, crash_score
from nautilus.engines.enhanced_vpin.flow_intervals import FlowIntervals
from nautilus.engines.enhanced_vpin.improved_vpin import ImprovedVpin
from nautilus.engines.enhanced_vpin.models import (
    SECOND_NS,
    CrashState,
    EnhancedVpinConfig,
    LambdaState,
    OrderFlowState,
    PinState,
    SpreadEstimates,
    SpreadState,
)
from nautilus.engines.enhanced_vpin.pin import PinEstimate
from nautilus.engines.enhanced_vpin.recommendation import recommend
from nautilus.engines.enhanced_vpin.regression import Regression
from nautilus.engines.enhanced_vpin.trade_costs import CostMeter
from nautilus.engines.enhanced_vpin.usual import Usual
from nautilus.errors import NotReady
from nautilus.model.instruments import Instrument
from nautilus.model.market import Quote, Trade
from nautilus.model.messages import MicrostructureAssessment, VpinCalculation

Floats = NDArray[np.float64]
MINIMUM_T = 2.0
"""A regression's slope counts as known from this t-statistic on."""


class LiveMicrostructure:
    """Quotes, trades and VPIN of one instrument in, an assessment out whenever it is asked for."""

    def __init__(self, instrument: Instrument, config: EnhancedVpinConfig) -> None:
        self.instrument = instrument
        self.config = config
        self.history: deque[MicrostructureAssessment] = deque(maxlen=config.history)
        self.touched = False
        self.crash_active = False
        self.pin: PinState | None = None
        self.flows = FlowIntervals(
            round(config.interval_seconds * SECOND_NS),
            config.window,
            config.recent,
            config.usual_span,
            config.minimum_intervals,
            instrument.value(1, 1),
        )
        horizons = tuple(round(seconds * SECOND_NS) for seconds in config.horizons_seconds)
        self.costs = CostMeter(horizons, config.cost_span)
        self._vpin: VpinCalculation | None = None
        self._effective_usual = Usual(config.usual_span, config.minimum_intervals)
        self._pin_ns = round(config.pin_interval_seconds * SECOND_NS)
        self._pin_end = self._buys = self._sells = 0
        self._buckets: deque[tuple[float, float, float]] = deque(maxlen=config.ivpin_window)
        self.ivpin: ImprovedVpin | None = None
        self._counts: deque[tuple[int, int]] = deque(maxlen=config.pin_window)
        self._last_price = self._direction = 0
        self._last_order = (0, 0)
        self._estimates: dict[str, float | None] = {}

    # -- market data ---------------------------------------------------------------------------------------------

    def on_quote(self, quote: Quote) -> None:
        """Take a quote."""
        self.touched = True
        ts, bid, ask = quote.ts_event, quote.bid_ticks, quote.ask_ticks
        if self.flows.on_quote(ts, bid, quote.bid_lots, ask, quote.ask_lots):
            self._reestimate()
        self.costs.on_quote(ts, (bid + ask) / 2 if bid > 0 and ask > 0 else 0.0)

    def on_trade(self, trade: Trade) -> None:
        """Take a trade; one whose side the feed does not name is signed by the midpoint, then by the tick rule."""
        self.touched = True
        ts, price = trade.ts_event, trade.price_ticks
        if price != self._last_price:
            self._direction = (1 if price > self._last_price else -1) if self._last_price else 0
            self._last_price = price
        side = trade.aggressor or self._inferred(price)
        if self.flows.on_trade(ts, price, trade.size_lots, side):
            self._reestimate()
        self.costs.on_trade(ts, price, side)
        if ts >= self._pin_end:
            self._turn_pin_interval(ts)
        if (ts, side) != self._last_order:
            self._last_order = (ts, side)
            if side > 0:
                self._buys += 1
            elif side < 0:
                self._sells += 1

    def on_vpin(self, calculation: VpinCalculation) -> None:
        """Take the vpin engine's newest number."""
        before, self._vpin = self._vpin, calculation
        self.touched = True
        if before is not None and before.bucket_index + 1 == calculation.bucket_index:
            lasted = max(calculation.ts_event - before.ts_event, 1)
            self._buckets.append((calculation.buy_lots, calculation.sell_lots, float(lasted)))

    def advance(self, ts: int) -> None:
        """Close what has ended by `ts`."""
        if self.flows.advance(ts):
            self._reestimate()

    def _inferred(self, price: int) -> int:
        bid, _, ask, _ = self.flows.quote
        if bid > 0 and ask > 0 and 2 * price != bid + ask:
            return 1 if 2 * price > bid + ask else -1
        return self._direction

    def _turn_pin_interval(self, ts: int) -> None:
        """Intervals run from the first trade on; trades of one side at one time are one order that met several."""
        if self._pin_end and self._buys + self._sells:
            self._counts.append((self._buys, self._sells))
        self._buys = self._sells = 0
        start = self._pin_end or ts
        self._pin_end = start + ((ts - start) // self._pin_ns + 1) * self._pin_ns

    def _reestimate(self) -> None:
        """Estimates that change only as intervals close."""
        effective = self.costs.effective_bps
        kyle, hasbrouck = self._kyle(self.flows.base_impact.estimate(self.config.minimum_intervals)), self._hasbrouck()
        response = self._response()
        self._estimates = {
            "kyle_lambda": kyle.slope if kyle else None,
            "kyle_lambda_t": kyle.t_statistic if kyle else None,
            "kyle_lambda_ratio": self._impact_ratio(),
            "hasbrouck_lambda": hasbrouck.slope if hasbrouck else None,
            "amihud": self._amihud(),
            "ofi_response": response.slope if response else None,
            "ofi_r_squared": response.r_squared if response else None,
            "ofi_lots": float(self.flows.last_flow),
            "effective_spread_ratio": None if effective is None else self._effective_usual.ratio(effective),
        }
        if effective is not None:
            self._effective_usual.add(effective)

    # -- assessment ----------------------------------------------------------------------------------------------

    def assess(self, ts: int) -> MicrostructureAssessment:
        """All metrics now, and what they recommend; kept in the history."""
        vpin, crash = self._vpin, self.crash()
        metrics: dict[str, float | None] = {
            "vpin": vpin.vpin if vpin else None,
            "vpin_cdf": vpin.cdf if vpin else None,
            **self._estimates,
            "quote_imbalance": self._quote_imbalance(),
            "quoted_spread_bps": self._quoted_bps(),
            "effective_spread_bps": self.costs.effective_bps,
            "improved_vpin": self.ivpin.ivpin if self.ivpin else None,
            "pin": self.pin.estimate.pin if self.pin else None,
            "flash_crash_score": crash.score if crash else None,
        }
        for horizon in self.costs.horizons():
            seconds = f"{horizon.horizon_ns / SECOND_NS:g}s"
            metrics[f"price_impact_bps_{seconds}"] = horizon.impact_bps
            metrics[f"realised_spread_bps_{seconds}"] = horizon.realised_bps
        recommendation, evidence = recommend(metrics, self.config.rules)
        assessment = MicrostructureAssessment(
            ts_event=ts,
            instrument_id=self.instrument.id,
            metrics=metrics,
            recommendation=recommendation,
            evidence=evidence,
        )
        self.history.append(assessment)
        self.touched = False
        return assessment

    def crash(self) -> CrashScore | None:
        """The flash-crash score now; None while too little is known."""
        flows = self.flows
        inputs = CrashInputs(
            volume_deviations=flows.volume_deviations,
            price_fall=flows.fall(self.config.crash_window),
            volatility_ratio=flows.volatility_ratio,
            liquidity_loss=flows.depth_loss,
        )
        return crash_score(inputs, self.config.crash)

    def latest(self) -> MicrostructureAssessment:
        """The newest assessment; raises NotReady before the first."""
        if not self.history:
            raise NotReady(f"{self.instrument.id} has not been assessed yet")
        return self.history[-1]

    # -- estimates -----------------------------------------------------------------------------------------------

    def _kyle(self, regression: Regression | None) -> Regression | None:
        """From half ticks per lot to currency per unit."""
        return _rescaled(regression, self.instrument.price(0.5) / self.instrument.size(1.0), self.instrument.price(0.5))

    def _hasbrouck(self) -> Regression | None:
        return self.flows.root_impact.estimate(self.config.minimum_intervals)

    def _response(self) -> Regression | None:
        return _rescaled(self.flows.flow_response.estimate(self.config.minimum_intervals), 0.5, 0.5)

    def _impact_ratio(self) -> float | None:
        """What Kyle's slope of the recent intervals is at least (two standard errors), over that of the window."""
        base = self.flows.base_impact.estimate(self.config.minimum_intervals)
        recent = self.flows.recent_impact.estimate()
        if base is None or recent is None or base.slope <= 0.0 or (base.t_statistic or MINIMUM_T) < MINIMUM_T:
            return None
        return max(0.0, recent.slope - 2.0 * (recent.standard_error or 0.0)) / base.slope

    def _amihud(self) -> float | None:
        ratios = self.flows.amihud
        return 1e6 * sum(ratios) / len(ratios) if len(ratios) >= self.config.minimum_intervals else None

    def _quoted_bps(self) -> float | None:
        bid, _, ask, _ = self.flows.quote
        return 2e4 * (ask - bid) / (ask + bid) if bid > 0 and ask > 0 else None

    def _quote_imbalance(self) -> float | None:
        _, bid_lots, _, ask_lots = self.flows.quote
        return (bid_lots - ask_lots) / (bid_lots + ask_lots) if bid_lots + ask_lots > 0 else None

    # -- answers -------------------------------------------------------------------------------------------------

    def lambdas(self) -> LambdaState:
        """Kyle's and Hasbrouck's lambda and Amihud's ratio."""
        minimum = self.config.minimum_intervals
        return LambdaState(
            instrument_id=self.instrument.id,
            interval_seconds=self.config.interval_seconds,
            intervals=len(self.flows.base_impact),
            kyle=self._kyle(self.flows.base_impact.estimate(minimum)),
            kyle_recent=self._kyle(self.flows.recent_impact.estimate()),
            ratio=self._impact_ratio(),
            hasbrouck=self._hasbrouck(),
            amihud=self._amihud(),
        )

    def spreads(self) -> SpreadState:
        """Quoted, effective and realised spreads, and those estimated from the bars of the window."""
        columns = np.array(self.flows.bars, dtype=np.float64).reshape(-1, 4).T
        estimates = spread_estimates(*columns) if columns.size else None
        return SpreadState(
            instrument_id=self.instrument.id,
            quoted_bps=self._quoted_bps(),
            effective_bps=self.costs.effective_bps,
            effective_ratio=self._estimates.get("effective_spread_ratio"),
            horizons=self.costs.horizons(),
            trades=self.costs.trades,
            bars=len(self.flows.bars),
            **_basis_points(estimates),
        )

    def order_flow(self) -> OrderFlowState:
        """Order-flow imbalance and the price's response to it."""
        return OrderFlowState(
            instrument_id=self.instrument.id,
            interval_seconds=self.config.interval_seconds,
            last_imbalance_lots=self.flows.last_flow,
            open_imbalance_lots=self.flows.flow,
            response=self._response(),
            quote_imbalance=self._quote_imbalance(),
        )

    def crash_state(self) -> CrashState:
        """The flash-crash score with its components."""
        score = self.crash()
        return CrashState(
            instrument_id=self.instrument.id,
            score=score.score if score else None,
            components=score.components if score else {},
            weight_known=score.weight_known if score else 0.0,
            alert_active=self.crash_active,
        )

    def counts(self) -> tuple[Floats, Floats] | None:
        """Buys and sells of the intervals in the place of days, both [intervals]; None while there are too few."""
        if len(self._counts) < self.config.pin_minimum:
            return None
        buys, sells = np.array(self._counts, dtype=np.float64).T
        return (buys, sells) if buys.sum() > 0 and sells.sum() > 0 else None

    def buckets(self) -> tuple[Floats, Floats, Floats] | None:
        """Buys, sells and duration of the last volume buckets, [buckets]; None before the window is full."""
        if len(self._buckets) < self.config.ivpin_window:
            return None
        buy, sell, duration = np.array(self._buckets, dtype=np.float64).T.copy()
        return buy, sell, duration

    def ivpin_state(self) -> ImprovedVpin:
        """The newest improved VPIN; raises NotReady before the first."""
        if self.ivpin is None:
            have, need = len(self._buckets), self.config.ivpin_window
            raise NotReady(
                f"{have} buckets of {self.instrument.id} so far, improved VPIN needs {need} and its next turn"
            )
        return self.ivpin

    def set_pin(self, ts: int, estimate: PinEstimate) -> None:
        """Keep an estimate made from `counts`."""
        self.pin = PinState(
            instrument_id=self.instrument.id,
            ts_event=ts,
            interval_seconds=self.config.pin_interval_seconds,
            estimate=estimate,
        )

    def pin_state(self) -> PinState:
        """The newest PIN; raises NotReady before the first."""
        if self.pin is None:
            have, need = len(self._counts), self.config.pin_minimum
            raise NotReady(f"{have} intervals of {self.instrument.id} so far, PIN needs {need} and its next turn")
        return self.pin


def _rescaled(regression: Regression | None, slope: float, intercept: float) -> Regression | None:
    if regression is None:
        return None
    error = regression.standard_error
    return msgspec.structs.replace(
        regression,
        slope=regression.slope * slope,
        intercept=regression.intercept * intercept,
        standard_error=None if error is None else error * slope,
    )


def _basis_points(estimates: SpreadEstimates | None) -> dict[str, float | None]:
    values = msgspec.structs.asdict(estimates) if estimates else dict.fromkeys(SpreadEstimates.__struct_fields__)
    return {f"{name}_bps": None if value is None else 1e4 * value for name, value in values.items()}
