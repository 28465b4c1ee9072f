"""The pre-trade gate: plain ordered checks on whole numbers and floats, from the cheapest to the most telling.

A refusal is a stable code and a sentence with the numbers; it changes nothing. Exposure checks count every open order
of the worse side as filled, and apply only to orders that make the worst case larger: making a position smaller is
never refused for its size.
"""

from collections.abc import Callable, Mapping

import msgspec

from nautilus.engines.risk.denial import Denial
from nautilus.engines.risk.exposures import INFINITE, Holding
from nautilus.engines.risk.gate_rules import GateRules
from nautilus.engines.risk.holdings import Holdings
from nautilus.engines.risk.order_rate import OrderRate
from nautilus.model.enums import OrderType, Side, TimeInForce
from nautilus.model.instruments import Instrument, InstrumentRegistry
from nautilus.model.market import Quote
from nautilus.model.orders import ModifyOrder, SubmitOrder

type Refusal = tuple[Denial, str]

_PRICED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_TRIGGERED = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_TYPE_ONCE_TRIGGERED = {OrderType.STOP: OrderType.MARKET, OrderType.STOP_LIMIT: OrderType.LIMIT}
_SECOND_NS = 1_000_000_000
_MOST_LOTS = 10**15
_MOST_TICKS = 10**12


class Gate:
    """All checks over one view of the world. `quotes` and `last_ticks` are read, never written, by the gate.

    `needs_equity` says that there is a portfolio to give every account's equity, without which buying power is unknown.
    `why_not_owner` says of an account why this process may not trade it now, or None where it may.
    """

    def __init__(
        self,
        rules: GateRules,
        instruments: InstrumentRegistry,
        holdings: Holdings,
        quotes: Mapping[str, Quote],
        last_ticks: Mapping[str, int],
        *,
        needs_equity: bool = False,
        why_not_owner: Callable[[str], str | None] = lambda account_id: None,
    ) -> None:
        self.rules = rules
        self.holdings = holdings
        self.killed = False
        self.closing = False
        self.restricted = set(rules.restricted)
        self.instrument_states: dict[str, str] = {}
        self.instrument_caps: dict[str, float] = {}
        self._instruments = instruments
        self._quotes = quotes
        self._last_ticks = last_ticks
        self._needs_equity = needs_equity
        self._why_not_owner = why_not_owner
        self._rate = OrderRate(rules.max_orders_per_second, _SECOND_NS)
        self._strategy_rates: dict[str, OrderRate] = {}
        self._stale_ns = None if rules.max_quote_age_seconds is None else int(rules.max_quote_age_seconds * 1e9)

    # -- entry points --------------------------------------------------------------------------------------------

    def check(self, order: SubmitOrder, now_ns: int) -> Refusal | None:
        """Why this new order would be refused now, or None. Changes nothing."""
        return self._check_switches(order) or self._check_request(order, now_ns) or self._check_market(order, now_ns)

    def admit(self, order: SubmitOrder, now_ns: int) -> Refusal | None:
        """Check a new order and, where nothing speaks against it, count it as working."""
        refusal = self.check(order, now_ns)
        if refusal is None:
            self._rate.add(now_ns)
            self._rate_of(order.strategy_id).add(now_ns)
            self.holdings.reserve(order, self.mark(order.instrument_id))
        return refusal

    def admit_change(self, change: ModifyOrder, now_ns: int) -> Refusal | None:
        """Check a change of an open order as if what is left of it were new, and count it if it passes."""
        item = self.holdings.orders.get(change.client_order_id)
        if item is None:
            return Denial.UNKNOWN_ORDER, f"order {change.client_order_id} is not open"
        filled = item.filled_lots
        total = item.order.quantity_lots if change.quantity_lots is None else change.quantity_lots
        price = item.price_ticks if change.price_ticks is None else change.price_ticks
        trigger = item.order.trigger_ticks if change.trigger_ticks is None else change.trigger_ticks
        if total <= filled:
            return Denial.QUANTITY, f"{filled} lots are filled already, the order cannot be {total}"
        if item.triggered:
            trigger = change.trigger_ticks
        changed = msgspec.structs.replace(
            item.order,
            order_type=_TYPE_ONCE_TRIGGERED.get(item.order.order_type, item.order.order_type)
            if item.triggered
            else item.order.order_type,
            quantity_lots=total - filled,
            price_ticks=price,
            trigger_ticks=trigger,
        )
        before = item.remaining_lots
        self.holdings.restate(change.client_order_id, 0, item.price_ticks)
        refusal = self._check_change(changed, now_ns)
        after = before if refusal else max(before, total - filled)
        self.holdings.restate(change.client_order_id, after, item.price_ticks)
        if refusal is None:
            item.changes += 1
            self._rate.add(now_ns)
        return refusal

    def mark(self, instrument_id: str) -> float | None:
        """The price in ticks by which exposure is valued: mid, else the one side quoted, else the last trade or bar."""
        quote = self._quotes.get(instrument_id)
        if quote is not None:
            if quote.bid_lots > 0 and quote.ask_lots > 0:
                return 0.5 * (quote.bid_ticks + quote.ask_ticks)
            if quote.bid_lots > 0 or quote.ask_lots > 0:
                return float(quote.bid_ticks if quote.bid_lots > 0 else quote.ask_ticks)
        last = self._last_ticks.get(instrument_id)
        return None if last is None else float(last)

    # -- checks, in order ----------------------------------------------------------------------------------------

    def lets_through(self, order: SubmitOrder | ModifyOrder) -> bool:
        """Whether ownership and kill switch let an order pass; a switch lets close what it wants closed."""
        if isinstance(order, SubmitOrder):
            account_id = order.account_id
        else:
            item = self.holdings.orders.get(order.client_order_id)
            account_id = item.order.account_id if item is not None else ""
        if self._why_not_owner(account_id) is not None:
            return False
        if not self.killed:
            return True
        closes = isinstance(order, SubmitOrder) and order.reduce_only and order.order_type is OrderType.MARKET
        return closes and self.closing

    def _check_switches(self, order: SubmitOrder) -> Refusal | None:
        reason = self._why_not_owner(order.account_id)
        if reason is not None:
            return Denial.NOT_OWNER, reason
        if self.killed:
            if self.lets_through(order):
                return None
            return Denial.KILL_SWITCH, "the kill switch is engaged"
        holdings = self.holdings
        if holdings.everything.state == "halted":
            return Denial.HALTED, "trading is halted"
        strategy = holdings.strategies.get(order.strategy_id)
        if strategy is not None and strategy.state == "halted":
            return Denial.HALTED, f"strategy {order.strategy_id} is halted"
        account = holdings.accounts.get(order.account_id)
        if account is not None and account.state == "halted":
            return Denial.HALTED, f"account {order.account_id} is halted"
        if self.instrument_states and self.instrument_states.get(order.instrument_id) == "halted":
            return Denial.HALTED, f"instrument {order.instrument_id} is halted"
        return None

    def _check_request(self, order: SubmitOrder, now_ns: int) -> Refusal | None:
        if order.client_order_id in self.holdings.known_ids:
            return Denial.DUPLICATE_ORDER_ID, f"order id {order.client_order_id} was used before"
        if self._rate.full(now_ns):
            return Denial.ORDER_RATE, f"more than {self._rate.limit} orders a second"
        rate = self._strategy_rates.get(order.strategy_id)
        if rate is not None and rate.full(now_ns):
            return Denial.ORDER_RATE, f"more than {rate.limit} orders a second of strategy {order.strategy_id}"
        if len(self.holdings.orders) >= self.rules.max_open_orders:
            return Denial.OPEN_ORDERS, f"{len(self.holdings.orders)} orders are open, the most allowed"
        return self._check_terms(order, now_ns)

    def _check_terms(self, order: SubmitOrder, now_ns: int) -> Refusal | None:
        if order.side not in {Side.BUY, Side.SELL}:
            return Denial.SIDE, "an order must buy or sell"
        if not 1 <= order.quantity_lots <= _MOST_LOTS:
            return Denial.QUANTITY, f"quantity must be 1 to {_MOST_LOTS} lots, not {order.quantity_lots}"
        kind = order.order_type
        if (order.price_ticks is None) == (kind in _PRICED):
            return Denial.PRICE, f"a {kind} order must {'' if kind in _PRICED else 'not '}have a limit price"
        if (order.trigger_ticks is None) == (kind in _TRIGGERED):
            return Denial.PRICE, f"a {kind} order must {'' if kind in _TRIGGERED else 'not '}have a trigger price"
        if order.price_ticks is not None and not 1 <= order.price_ticks <= _MOST_TICKS:
            return Denial.PRICE, f"limit price must be 1 to {_MOST_TICKS} ticks, not {order.price_ticks}"
        if order.trigger_ticks is not None and not 1 <= order.trigger_ticks <= _MOST_TICKS:
            return Denial.PRICE, f"trigger price must be 1 to {_MOST_TICKS} ticks, not {order.trigger_ticks}"
        if order.post_only and kind is not OrderType.LIMIT:
            return Denial.TERMS, f"a {kind} order cannot be post-only"
        if (order.time_in_force is TimeInForce.GTD) != (order.expire_ns is not None):
            return Denial.TERMS, "an expiry time goes with time in force gtd, and only with it"
        if order.expire_ns is not None and order.expire_ns <= now_ns:
            return Denial.TERMS, f"expiry {order.expire_ns} is not after now {now_ns}"
        return None

    def _check_market(self, order: SubmitOrder, now_ns: int) -> Refusal | None:
        instrument = self._instruments.get(order.instrument_id)
        if instrument is None:
            return Denial.UNKNOWN_INSTRUMENT, f"no instrument {order.instrument_id}"
        if order.instrument_id in self.restricted:
            return Denial.RESTRICTED, f"{order.instrument_id} is on the restricted list"
        rules = self.rules
        lots = order.quantity_lots
        if rules.max_order_lots is not None and lots > rules.max_order_lots:
            return Denial.FAT_FINGER, f"{lots} lots, more than {rules.max_order_lots} in one order"
        quote = self._quotes.get(order.instrument_id)
        if quote is not None and self._stale_ns is not None and now_ns - quote.ts_init > self._stale_ns:
            age = (now_ns - quote.ts_init) / 1e9
            return Denial.STALE_QUOTE, f"the last quote is {age:.1f} s old, more than {rules.max_quote_age_seconds:g} s"
        mark = self.mark(order.instrument_id)
        if mark is None and order.order_type is OrderType.MARKET:
            return Denial.NO_PRICE, f"no price of {order.instrument_id} is known"
        price = self._order_price(order, quote, mark)
        refusal = self._check_collar(order, quote, mark) or self._check_reducing(order, instrument)
        return refusal or self._check_exposure(order, instrument, price, price if mark is None else mark)

    def _order_price(self, order: SubmitOrder, quote: Quote | None, mark: float | None) -> float:
        """What a lot of the order will cost at worst, in ticks."""
        if order.price_ticks is not None:
            return float(order.price_ticks)
        if order.trigger_ticks is not None:
            return float(order.trigger_ticks)
        if quote is not None:
            if order.side is Side.BUY and quote.ask_lots > 0:
                return float(quote.ask_ticks)
            if order.side is Side.SELL and quote.bid_lots > 0:
                return float(quote.bid_ticks)
        return mark or 0.0

    def _check_collar(self, order: SubmitOrder, quote: Quote | None, mark: float | None) -> Refusal | None:
        """A limit price must not be further through the far side of the market than the collar allows."""
        collar, price = self.rules.price_collar, order.price_ticks
        if collar is None or price is None:
            return None
        if order.trigger_ticks is not None:
            reference, name = float(order.trigger_ticks), "trigger"
        elif quote is not None and order.side is Side.BUY and quote.ask_lots > 0:
            reference, name = float(quote.ask_ticks), "ask"
        elif quote is not None and order.side is Side.SELL and quote.bid_lots > 0:
            reference, name = float(quote.bid_ticks), "bid"
        elif mark is not None:
            reference, name = mark, "last price"
        else:
            return None
        excess = order.side * (price - reference)
        if excess > collar * abs(reference):
            far = f"{excess:g} ticks through the {name} {reference:g}"
            return Denial.PRICE_COLLAR, f"limit {price} is {far}, more than {collar:.2%}"
        return None

    def _check_reducing(self, order: SubmitOrder, instrument: Instrument) -> Refusal | None:
        holdings = self.holdings
        strategy = holdings.strategies.get(order.strategy_id)
        own = order.reduce_only or (strategy is not None and strategy.state == "reducing")
        if own:
            position, working = holdings.own(order)
            if not _reduces(position, working, order):
                code = Denial.REDUCE_ONLY if order.reduce_only else Denial.REDUCING
                return code, f"{order.quantity_lots} lots would not only reduce the strategy's {position}"
        account = holdings.accounts.get(order.account_id)
        reducing = (
            holdings.everything.state == "reducing"
            or (account is not None and account.state == "reducing")
            or (bool(self.instrument_states) and self.instrument_states.get(order.instrument_id) == "reducing")
        )
        if reducing:
            held = holdings.account_holding(order.account_id, instrument)
            if not _reduces(held.position, held.open_buy if order.side is Side.BUY else held.open_sell, order):
                return (
                    Denial.REDUCING,
                    f"{order.quantity_lots} lots would not only reduce the account's {held.position}",
                )
        return None

    def _check_exposure(self, order: SubmitOrder, instrument: Instrument, price: float, mark: float) -> Refusal | None:
        held = self.holdings.account_holding(order.account_id, instrument)
        own = self.holdings.strategy_holding(order.strategy_id, instrument)
        if held.point == 0.0:
            return Denial.NO_CURRENCY_RATE, f"no rate from {instrument.currency} to the base currency is known"
        signed = order.side * order.quantity_lots * price * held.point
        notional = abs(signed)
        cap = self.rules.max_order_notional
        if cap is not None and notional > cap:
            return Denial.NOTIONAL, f"order is worth {notional:.2f}, more than {cap:.2f}"
        after, own_after = _Worst(held, signed, mark), _Worst(own, signed, mark)
        cap = self.instrument_caps.get(order.instrument_id, INFINITE) if self.instrument_caps else INFINITE
        if after.worst > cap and after.grows:
            return Denial.POSITION, f"{order.instrument_id} would be {after.worst:.2f}, more than {cap:.2f}"
        refusal = _check_caps(held, after) or _check_caps(own, own_after)
        return refusal or (self._check_account(order, held, after.worst) if after.grows else None)

    def _check_account(self, order: SubmitOrder, held: Holding, worst: float) -> Refusal | None:
        account = held.groups[0]
        equity = account.equity
        if equity is None:
            if self._needs_equity:
                return Denial.NO_EQUITY, f"the equity of account {order.account_id} is not known yet"
            return None
        everything = held.groups[1]
        if equity <= 0.0:
            return Denial.BUYING_POWER, f"equity of account {order.account_id} is {equity:.2f}"
        for group in (account, everything):
            base = group.equity
            if base is None or base <= 0.0:
                continue
            gross = group.gross - held.worst + worst
            if gross > group.leverage_cap * base:
                leverage = gross / base
                return Denial.LEVERAGE, f"{group.name}: leverage would be {leverage:.2f}, over {group.leverage_cap:g}"
            if worst > group.concentration_cap * base:
                share = f"{worst / base:.1%} of equity in {held.instrument_id}"
                return Denial.CONCENTRATION, f"{group.name}: {share}, over {group.concentration_cap:.1%}"
        required = account.initial - held.initial + worst * held.rate
        if required > equity:
            return Denial.BUYING_POWER, f"initial margin would be {required:.2f}, equity is {equity:.2f}"
        used, most = account.margin_utilization, self.rules.max_margin_utilization
        if used is not None and most is not None and used >= most:
            return Denial.MARGIN, f"margin utilisation is {used:.1%}, at or over {most:.1%}"
        return None

    def _check_change(self, order: SubmitOrder, now_ns: int) -> Refusal | None:
        if self._rate.full(now_ns):
            return Denial.ORDER_RATE, f"more than {self._rate.limit} orders a second"
        return self._check_switches(order) or self._check_terms(order, now_ns) or self._check_market(order, now_ns)

    def _rate_of(self, strategy_id: str) -> OrderRate:
        rate = self._strategy_rates.get(strategy_id)
        if rate is None:
            rate = self._strategy_rates[strategy_id] = OrderRate(self.rules.max_strategy_orders_per_second, _SECOND_NS)
        return rate


class _Worst:
    """A holding's worst case once an order is added to it: absolute value, all buys filled, all sells filled."""

    __slots__ = ("grows", "high", "low", "worst")

    def __init__(self, held: Holding, signed: float, mark: float) -> None:
        unit = mark * held.point
        self.high = unit * (held.position + held.open_buy)
        self.low = unit * (held.position - held.open_sell)
        before = max(abs(self.high), abs(self.low))
        if signed > 0.0:
            self.high += signed
        else:
            self.low += signed
        self.worst = max(abs(self.high), abs(self.low))
        self.grows = self.worst > before


def _check_caps(held: Holding, after: _Worst) -> Refusal | None:
    if not after.grows:
        return None
    for group in held.groups:
        if after.worst > group.position_cap:
            would = f"{held.instrument_id} would be {after.worst:.2f}"
            return Denial.POSITION, f"{group.name}: {would}, more than {group.position_cap:.2f}"
        if group.gross_cap != INFINITE:
            gross = group.gross - held.worst + after.worst
            if gross > group.gross_cap:
                return Denial.GROSS_EXPOSURE, f"{group.name}: would be {gross:.2f}, more than {group.gross_cap:.2f}"
        if group.net_cap != INFINITE:
            net = max(abs(group.net_high - held.high + after.high), abs(group.net_low - held.low + after.low))
            if net > group.net_cap:
                return Denial.NET_EXPOSURE, f"{group.name}: would be {net:.2f}, more than {group.net_cap:.2f}"
    return None


def _reduces(position: int, working: int, order: SubmitOrder) -> bool:
    """Whether an order can only make the position smaller, even with every other order of its side filled."""
    return order.side * position + working + order.quantity_lots <= 0
