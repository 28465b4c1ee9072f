"""The collateral engine: margin of every account as prices move, alerts on its use, and the time to the call.

Positions come from fills (and from the journal after a restart), equity from the portfolio engine. Margin is worked out
when quotes come, at most every `update_seconds` of their time.
"""

import math
from collections import deque

import msgspec

from nautilus.engines.base import Engine
from nautilus.engines.collateral.call_forecast import CallForecast, ForecastRecord, forecast_call
from nautilus.engines.collateral.margin_call_time import excess_deviation
from nautilus.engines.collateral.margin_position import Margin, MarginPosition
from nautilus.engines.collateral.models import AccountMargin, CollateralConfig, MarginAlert, WhatIfRequest
from nautilus.engines.collateral.routes import collateral_routes
from nautilus.engines.collateral.utilization_alerts import ACTIONS, UtilizationAlarm, UtilizationAlert
from nautilus.engines.collateral.what_if import MarginWhatIf, margin_of, what_if
from nautilus.engines.operation import Operation
from nautilus.engines.risk import CurrencyRates, ReturnHistory, ewma_covariance, ewma_volatility
from nautilus.errors import Invalid, NotFound, NotReady
from nautilus.model import topics
from nautilus.model.enums import EngineType
from nautilus.model.market import Bar, Quote
from nautilus.model.messages import MarginCall, MarginUpdate, PortfolioUpdate
from nautilus.model.orders import OrderFilled

MAX_ALERTS = 1_000
FORECAST_EVERY_NS = 60_000_000_000


class HeldLots(msgspec.Struct, frozen=True):
    """One position, as stored."""

    account_id: str
    instrument_id: str
    quantity_lots: int


class Account:
    """What the engine knows of one account; `equity` is in base currency, None until the portfolio engine tells it."""

    __slots__ = ("alarm", "equity", "forecast", "lots", "margin", "next_forecast_ns", "record", "traded")

    def __init__(self, alarm: UtilizationAlarm) -> None:
        self.alarm = alarm
        self.equity: float | None = None
        self.lots: dict[str, int] = {}
        self.margin: Margin | None = None
        self.forecast: CallForecast | None = None
        self.record = ForecastRecord()
        self.next_forecast_ns = 0
        self.traded = True


class CollateralEngine(Engine[CollateralConfig]):
    """Publishes MarginUpdate on margin.<account> and MarginCall on margin_call.<account>."""

    name = "collateral"
    prefix = "/collateral"
    engine_type = EngineType.COLLATERAL
    config_type = CollateralConfig
    depends_on = ("marketdata", "portfolio")

    async def setup(self) -> None:
        """Listen to quotes, fills and portfolios."""
        config = self.config
        self._new_alarm()
        self.accounts: dict[str, Account] = {}
        self.alerts: deque[MarginAlert] = deque(maxlen=MAX_ALERTS)
        self.quotes: dict[str, Quote] = {}
        self.marks: dict[str, float] = {}
        self.volatilities: dict[str, float] = {}
        self.rates = CurrencyRates(config.base_currency, config.currency_rates, self.instruments)
        self.history = ReturnHistory(config.return_count + 1, int(config.return_seconds * 1e9))
        self._update_ns = int(config.update_seconds * 1e9)
        self._next_update_ns = 0
        self.subscribe(topics.ALL_QUOTES, self.on_quote)
        self.subscribe(topics.ALL_BARS, self.on_bar)
        self.subscribe(topics.ALL_FILLS, self.on_fill)
        self.subscribe(topics.ALL_PORTFOLIOS, self.on_portfolio)

    def routes(self) -> list[Operation]:
        """HTTP operations below /collateral."""
        return collateral_routes(self)

    def degraded(self) -> list[str]:
        """Accounts that cannot be margined, with the reason."""
        reasons = []
        for account_id, account in self.accounts.items():
            if account.lots and account.equity is None:
                reasons.append(f"no equity known of account {account_id}")
            unpriced = [name for name in account.lots if name not in self.marks or self._rate(name) is None]
            if unpriced:
                names = ", ".join(sorted(unpriced)[:10])
                reasons.append(f"account {account_id}: no price or currency rate for {names}")
        return reasons

    def recover(self, record: msgspec.Struct) -> None:
        """Follow the fills of the journal."""
        if isinstance(record, OrderFilled):
            self._hold(record.account_id, record.instrument_id, record.side * record.quantity_lots)

    def snapshot(self) -> bytes:
        """Every position."""
        held = [
            HeldLots(account_id, name, lots)
            for account_id, account in self.accounts.items()
            for name, lots in account.lots.items()
        ]
        return msgspec.msgpack.encode(held)

    def restore(self, data: bytes) -> None:
        """Take back what `snapshot` gave."""
        for held in msgspec.msgpack.decode(data, type=list[HeldLots]):
            self._hold(held.account_id, held.instrument_id, held.quantity_lots)

    # -- what comes in -------------------------------------------------------------------------------------------

    def on_quote(self, quote: Quote) -> None:
        """Keep the quote; work margins out when it is time."""
        self.quotes[quote.instrument_id] = quote
        if quote.ts_init >= self._next_update_ns:
            self.update()

    def on_bar(self, bar: Bar) -> None:
        """Keep the close of an instrument that has no quotes."""
        if bar.instrument_id not in self.quotes:
            self.marks[bar.instrument_id] = float(bar.close_ticks)
            if bar.ts_init >= self._next_update_ns:
                self.update()

    def on_fill(self, fill: OrderFilled) -> None:
        """Change the position; margin follows with the portfolio's next equity."""
        self._hold(fill.account_id, fill.instrument_id, fill.side * fill.quantity_lots)
        self.marks.setdefault(fill.instrument_id, float(fill.price_ticks))

    def on_portfolio(self, update: PortfolioUpdate) -> None:
        """Take an account's equity."""
        state = update.account
        rate = self.rates.get(state.currency)
        if rate is not None:
            self._account(state.account_id).equity = float(state.equity) * rate

    # -- margins -------------------------------------------------------------------------------------------------

    def update(self) -> None:
        """Work out volatilities, margins, alerts and forecasts of every account."""
        now = self.clock.timestamp_ns()
        self._next_update_ns = now + self._update_ns
        self._take_marks()
        due = self.history.due(now)
        if due:
            self.history.add(now, self.marks)
            self._measure_volatilities()
        for account_id, account in self.accounts.items():
            account.traded |= due
            if account.equity is not None:
                self._update_account(account_id, account, account.equity, now)

    def view(self, account_id: str) -> AccountMargin:
        """Margin of one account; raises NotFound, or NotReady while its equity or a price is missing."""
        account = self._known(account_id)
        self._take_marks()
        return AccountMargin(
            account_id=account_id,
            currency=self.config.base_currency,
            margin=self._margin(account_id, account, self.config.model),
            level=account.alarm.level,
            forecast=account.forecast,
            calibration=account.record.calibration,
        )

    def what_if(self, request: WhatIfRequest) -> MarginWhatIf:
        """Margin of an account with and without a trade; raises NotFound, NotReady or Invalid."""
        account = self._known(request.account_id)
        instrument = self.instruments[request.instrument_id]
        if request.quantity_lots == 0:
            raise Invalid("body.quantity_lots", "must not be zero")
        self._take_marks()
        mark = self.marks.get(instrument.id)
        ticks = request.price_ticks if request.price_ticks is not None else mark
        if ticks is None:
            raise NotReady(f"no price of {instrument.id} is known: give price_ticks")
        before = self._margin(request.account_id, account, request.model)
        trade = self._position(instrument.id, request.quantity_lots, ticks)
        if trade is None:
            raise NotReady(f"no rate from {instrument.currency} to {self.config.base_currency} is known")
        return what_if(request.model, self._positions(account), trade, before.collateral, request.fee)

    def _update_account(self, account_id: str, account: Account, equity: float, now: int) -> None:
        positions = self._positions(account)
        if len(positions) < len(account.lots):
            return
        margin = account.margin = margin_of(self.config.model, positions, equity)
        if account.traded:
            account.forecast = self._forecast(positions, margin)
            account.traded = False
        account.record.observe(margin.excess, now)
        if account.forecast is not None and now >= account.next_forecast_ns and margin.excess > 0.0:
            account.next_forecast_ns = now + FORECAST_EVERY_NS
            account.record.add(now + int(self.config.horizon_minutes * 60e9), account.forecast.probability)
        update = MarginUpdate(
            ts_event=now,
            account_id=account_id,
            model=margin.model,
            initial_margin=margin.initial,
            maintenance_margin=margin.maintenance,
            excess=margin.excess,
            utilization=margin.utilization,
            minutes_to_margin_call=account.forecast.minutes_median if account.forecast else None,
        )
        self.publish(topics.margin(account_id), update)
        alert = account.alarm.update(margin.utilization, now)
        if alert is not None:
            self._tell(account_id, alert, margin)

    def _tell(self, account_id: str, alert: UtilizationAlert, margin: Margin) -> None:
        """Publish an alert: the amount is what brings utilisation back below the warning level."""
        required = max(margin.requirement / self.config.warning - margin.collateral, 0.0)
        action = ACTIONS[alert.level] if alert.active else ACTIONS["info"]
        call = MarginCall(
            ts_event=alert.ts_event,
            account_id=account_id,
            level=alert.level,
            active=alert.active,
            utilization=alert.utilization,
            required_amount=required,
            action=action,
        )
        self.publish(topics.margin_call(account_id), call)
        self.alerts.append(
            MarginAlert(
                account_id=account_id,
                level=alert.level,
                active=alert.active,
                utilization=alert.utilization,
                required_amount=required,
                action=action,
                ts_event=alert.ts_event,
            )
        )

    def _forecast(self, positions: list[MarginPosition], margin: Margin) -> CallForecast | None:
        """None for too few joint returns. Each position's share of the requirement moves with its value."""
        held = [item for item in positions if item.notional > 0.0]
        panel = self.history.returns([item.instrument_id for item in held])
        if not held or panel.shape[0] < self.config.minimum_returns:
            return None
        parts = {part.instrument_id: part.initial for part in margin.positions}
        kept = margin.requirement / sum(parts.values())
        rates = [kept * parts[item.instrument_id] / item.notional for item in held]
        covariance = ewma_covariance(panel, self.config.decay)
        deviation = excess_deviation([item.market_value for item in held], rates, covariance)
        minutes = self.config.horizon_minutes
        return forecast_call(margin.excess, deviation, self.config.return_seconds, minutes, panel.shape[0])

    def _measure_volatilities(self) -> None:
        yearly = math.sqrt(self.config.trading_seconds_per_year / self.config.return_seconds)
        for name in {name for account in self.accounts.values() for name in account.lots}:
            panel = self.history.returns([name])
            if panel.shape[0] >= self.config.minimum_returns:
                self.volatilities[name] = yearly * ewma_volatility(panel[:, 0], self.config.decay)

    # -- inner ---------------------------------------------------------------------------------------------------

    def _margin(self, account_id: str, account: Account, model: str) -> Margin:
        if account.equity is None:
            raise NotReady(f"the equity of account {account_id} is not known yet")
        positions = self._positions(account)
        if len(positions) < len(account.lots):
            raise NotReady(f"account {account_id} holds something without a price or a currency rate")
        return margin_of(model, positions, account.equity)

    def _positions(self, account: Account) -> list[MarginPosition]:
        """Every position that has a price and a currency rate."""
        found = (self._position(name, lots, self.marks.get(name)) for name, lots in sorted(account.lots.items()))
        return [item for item in found if item is not None]

    def _position(self, instrument_id: str, lots: int, ticks: float | None) -> MarginPosition | None:
        rate = self._rate(instrument_id)
        if ticks is None or rate is None:
            return None
        instrument = self.instruments[instrument_id]
        return MarginPosition(
            instrument_id=instrument_id,
            asset_class=instrument.asset_class,
            quantity=instrument.size(lots),
            price=instrument.price(ticks) * rate,
            multiplier=float(instrument.multiplier),
            volatility=self.volatilities.get(instrument_id),
        )

    def _rate(self, instrument_id: str) -> float | None:
        instrument = self.instruments.get(instrument_id)
        return None if instrument is None else self.rates.get(instrument.currency)

    def _take_marks(self) -> None:
        for name, quote in self.quotes.items():
            if quote.bid_lots > 0 and quote.ask_lots > 0:
                self.marks[name] = 0.5 * (quote.bid_ticks + quote.ask_ticks)
        self.rates.update(self.marks.get)

    def _hold(self, account_id: str, instrument_id: str, lots: int) -> None:
        account = self._account(account_id)
        total = account.lots.get(instrument_id, 0) + lots
        if total:
            account.lots[instrument_id] = total
        else:
            account.lots.pop(instrument_id, None)
        account.traded = True

    def _account(self, account_id: str) -> Account:
        return self.accounts.get(account_id) or self.accounts.setdefault(account_id, Account(self._new_alarm()))

    def _known(self, account_id: str) -> Account:
        try:
            return self.accounts[account_id]
        except KeyError:
            raise NotFound("account", account_id) from None

    def _new_alarm(self) -> UtilizationAlarm:
        config = self.config
        thresholds = (config.warning, config.critical, config.emergency)
        return UtilizationAlarm(thresholds, config.hysteresis, int(config.cooldown_seconds * 1e9))
