"""Every check of the gate: what it refuses, what it lets through, and that a refusal changes nothing."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.risk.denial import MEANINGS, Denial
from nautilus.engines.risk.gate import Gate
from nautilus.engines.risk.gate_rules import GateRules
from nautilus.engines.risk.holdings import Holdings
from nautilus.model.enums import AssetClass, OrderType, Side, TimeInForce
from nautilus.model.instruments import Instrument, InstrumentRegistry
from nautilus.model.market import Quote
from nautilus.model.orders import (
    ModifyOrder,
    OrderCanceled,
    OrderFilled,
    OrderInitialized,
    OrderModified,
    OrderSubmitted,
    SubmitOrder,
)

AAPL, MSFT, SAP = "AAPL.XNAS", "MSFT.XNAS", "SAP.XETR"


def equity(instrument_id: str, currency: str = "USD", sector: str = "technology") -> Instrument:
    return Instrument(
        id=instrument_id, asset_class=AssetClass.EQUITY, tick_size=Decimal("0.01"), currency=currency, sector=sector
    )


class World:
    """A gate with quotes at 100.00 and an order counter."""

    def __init__(self, *, needs_equity: bool = False, **rules: Any) -> None:
        self.lost: dict[str, str] = {}
        self.instruments = InstrumentRegistry()
        for instrument in (equity(AAPL), equity(MSFT), equity(SAP, "EUR")):
            self.instruments.add(instrument)
        self.quotes = {name: Quote(name, 9_999, 10_001, 500, 500, 0, 0) for name in (AAPL, MSFT, SAP)}
        self.last: dict[str, int] = {}
        rules_ = GateRules(**rules)
        self.holdings = Holdings(self.instruments, rules_.initial_rate, lambda code: 1.0 if code == "USD" else None)
        self.gate = Gate(
            rules_,
            self.instruments,
            self.holdings,
            self.quotes,
            self.last,
            needs_equity=needs_equity,
            why_not_owner=self.lost.get,
        )
        self.orders = 0
        self.fills = 0

    def order(self, lots: int = 10, side: Side = Side.BUY, **changes: Any) -> SubmitOrder:
        self.orders += 1
        values: dict[str, Any] = {
            "client_order_id": f"o{self.orders}",
            "strategy_id": "s",
            "account_id": "a",
            "instrument_id": AAPL,
            "side": side,
            "order_type": OrderType.MARKET,
            "quantity_lots": lots,
        }
        return SubmitOrder(**(values | changes))

    def limit(self, price: int, side: Side = Side.BUY, lots: int = 10, **changes: Any) -> SubmitOrder:
        return self.order(lots, side, order_type=OrderType.LIMIT, price_ticks=price, **changes)

    def code(self, order: SubmitOrder, now: int = 0) -> Denial | None:
        refusal = self.gate.check(order, now)
        return refusal and refusal[0]

    def fill(self, order: SubmitOrder, lots: int | None = None, price: int = 10_000) -> None:
        self.fills += 1
        self.holdings.apply(
            OrderFilled(
                client_order_id=order.client_order_id,
                strategy_id=order.strategy_id,
                account_id=order.account_id,
                instrument_id=order.instrument_id,
                ts_event=0,
                ts_init=0,
                venue_order_id="v",
                trade_id=f"t{self.fills}",
                side=order.side,
                quantity_lots=lots or order.quantity_lots,
                price_ticks=price,
                fee="0",
                currency="USD",
                liquidity="taker",
                rule="test",
            )
        )

    def hold(self, lots: int, **changes: Any) -> None:
        order = self.order(abs(lots), Side.BUY if lots > 0 else Side.SELL, **changes)
        assert self.gate.admit(order, 0) is None
        self.fill(order)
        self.holdings.revalue(self.gate.mark)


def event(kind: Any, about: SubmitOrder, **fields: Any) -> Any:
    return kind(
        client_order_id=about.client_order_id,
        strategy_id=about.strategy_id,
        account_id=about.account_id,
        instrument_id=about.instrument_id,
        ts_event=0,
        ts_init=0,
        **fields,
    )


def test_an_ordinary_order_passes() -> None:
    world = World()
    assert world.code(world.order()) is None
    assert world.code(world.limit(10_000)) is None


def test_every_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Denial)


def test_the_kill_switch_refuses_everything() -> None:
    world = World()
    world.gate.killed = True
    assert world.code(world.order()) is Denial.KILL_SWITCH


def test_an_account_that_another_process_owns_is_not_traded_not_even_by_what_was_cleared_before() -> None:
    world = World()
    cleared = world.order()
    assert world.gate.admit(cleared, 0) is None
    assert world.gate.lets_through(cleared)
    world.lost["a"] = "the lease of a ran out"
    assert world.gate.check(world.order(), 0) == (Denial.NOT_OWNER, "the lease of a ran out")
    assert not world.gate.lets_through(cleared)
    change = ModifyOrder(client_order_id=cleared.client_order_id, quantity_lots=5)
    refusal = world.gate.admit_change(change, 0)
    assert refusal is not None
    assert refusal[0] is Denial.NOT_OWNER
    assert not world.gate.lets_through(change)
    assert world.code(world.order(account_id="b")) is None


@pytest.mark.parametrize("scope", ["everything", "strategy", "account", "instrument"])
def test_a_halt_refuses_new_orders_in_its_scope(scope: str) -> None:
    world = World()
    world.hold(10)
    if scope == "everything":
        world.holdings.everything.state = "halted"
    elif scope == "strategy":
        world.holdings.strategies["s"].state = "halted"
    elif scope == "account":
        world.holdings.accounts["a"].state = "halted"
    else:
        world.gate.instrument_states[AAPL] = "halted"
    assert world.code(world.order(side=Side.SELL)) is Denial.HALTED
    elsewhere = world.order(strategy_id="t", account_id="b", instrument_id=MSFT)
    assert world.code(elsewhere) is (Denial.HALTED if scope == "everything" else None)


@pytest.mark.parametrize("scope", ["everything", "strategy", "account", "instrument"])
def test_reducing_lets_only_smaller_positions_through(scope: str) -> None:
    world = World()
    world.hold(10)
    if scope == "everything":
        world.holdings.everything.state = "reducing"
    elif scope == "strategy":
        world.holdings.strategies["s"].state = "reducing"
    elif scope == "account":
        world.holdings.accounts["a"].state = "reducing"
    else:
        world.gate.instrument_states[AAPL] = "reducing"
    assert world.code(world.order(1)) is Denial.REDUCING
    assert world.code(world.order(11, Side.SELL)) is Denial.REDUCING
    assert world.code(world.order(10, Side.SELL)) is None
    assert world.gate.admit(world.order(6, Side.SELL), 0) is None
    assert world.code(world.order(5, Side.SELL)) is Denial.REDUCING, "six lots are being sold already"


def test_reduce_only_looks_at_the_strategys_own_position() -> None:
    world = World()
    world.hold(10, strategy_id="other")
    assert world.code(world.order(5, Side.SELL, reduce_only=True)) is Denial.REDUCE_ONLY
    assert world.code(world.order(5, Side.SELL, reduce_only=True, strategy_id="other")) is None


def test_an_id_is_used_once_and_a_refused_order_does_not_use_it() -> None:
    world = World(max_order_lots=100)
    order = world.order()
    assert world.gate.admit(order, 0) is None
    assert world.code(order) is Denial.DUPLICATE_ORDER_ID
    big = world.order(101)
    assert world.gate.admit(big, 0) is not None
    assert world.code(world.order(5, client_order_id=big.client_order_id)) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"side": Side.NONE}, Denial.SIDE),
        ({"quantity_lots": 0}, Denial.QUANTITY),
        ({"quantity_lots": -5}, Denial.QUANTITY),
        ({"quantity_lots": 10**400}, Denial.QUANTITY),
        ({"order_type": OrderType.LIMIT}, Denial.PRICE),
        ({"price_ticks": 10_000}, Denial.PRICE),
        ({"order_type": OrderType.LIMIT, "price_ticks": 0}, Denial.PRICE),
        ({"order_type": OrderType.STOP}, Denial.PRICE),
        ({"order_type": OrderType.STOP, "trigger_ticks": -1}, Denial.PRICE),
        ({"order_type": OrderType.STOP_LIMIT, "trigger_ticks": 10_000}, Denial.PRICE),
        ({"post_only": True}, Denial.TERMS),
        ({"time_in_force": TimeInForce.GTD}, Denial.TERMS),
        ({"expire_ns": 10}, Denial.TERMS),
        ({"time_in_force": TimeInForce.GTD, "expire_ns": 0}, Denial.TERMS),
        ({"instrument_id": "NOPE.XNAS"}, Denial.UNKNOWN_INSTRUMENT),
        ({"instrument_id": SAP}, Denial.NO_CURRENCY_RATE),
    ],
)
def test_an_impossible_order_is_refused_by_name(changes: dict[str, Any], code: Denial) -> None:
    world = World()
    assert world.code(world.order(**changes)) is code


def test_restricted_and_fat_finger_and_notional() -> None:
    world = World(restricted=(MSFT,), max_order_lots=1_000, max_order_notional=50_000.0)
    assert world.code(world.order(instrument_id=MSFT)) is Denial.RESTRICTED
    assert world.code(world.order(1_001)) is Denial.FAT_FINGER
    assert world.code(world.order(500)) is Denial.NOTIONAL, "500 at the ask of 100.01 are 50,005"
    assert world.code(world.order(499)) is None


def test_the_collar_binds_on_the_aggressive_side_only() -> None:
    world = World(price_collar=0.05)
    assert world.code(world.limit(10_501)) is None
    assert world.code(world.limit(10_502)) is Denial.PRICE_COLLAR
    assert world.code(world.limit(9_500, Side.SELL)) is None
    assert world.code(world.limit(9_498, Side.SELL)) is Denial.PRICE_COLLAR
    assert world.code(world.limit(1)) is None, "a bid far below the market harms nobody"
    stop: dict[str, Any] = {"order_type": OrderType.STOP_LIMIT, "trigger_ticks": 10_400}
    assert world.code(world.order(price_ticks=10_920, **stop)) is None
    assert world.code(world.order(price_ticks=10_921, **stop)) is Denial.PRICE_COLLAR


def test_prices_must_be_there_and_fresh() -> None:
    world = World(max_quote_age_seconds=1.0)
    assert world.code(world.order(), now=1_000_000_000) is None
    assert world.code(world.order(), now=1_000_000_001) is Denial.STALE_QUOTE
    del world.quotes[AAPL]
    assert world.code(world.order()) is Denial.NO_PRICE
    assert world.code(world.limit(10_000)) is None
    world.last[AAPL] = 10_000
    assert world.code(world.order()) is None
    assert world.code(world.limit(11_001)) is Denial.PRICE_COLLAR


def test_the_order_rate_counts_only_what_passed() -> None:
    world = World(max_strategy_orders_per_second=2, max_orders_per_second=3)
    for _ in range(5):
        assert world.gate.admit(world.order(0), 0) is not None
    assert world.gate.admit(world.order(), 0) is None
    assert world.gate.admit(world.order(), 10) is None
    assert world.code(world.order(), 20) is Denial.ORDER_RATE
    assert world.gate.admit(world.order(strategy_id="t"), 20) is None
    assert world.code(world.order(strategy_id="u"), 20) is Denial.ORDER_RATE
    assert world.code(world.order(), 1_000_000_000) is None


def test_open_orders_are_bounded() -> None:
    world = World(max_open_orders=2)
    orders = [world.limit(9_000), world.limit(9_000)]
    for order in orders:
        assert world.gate.admit(order, 0) is None
    assert world.code(world.limit(9_000)) is Denial.OPEN_ORDERS
    world.holdings.apply(event(OrderCanceled, orders[0]))
    assert world.code(world.limit(9_000)) is None


def test_position_caps_count_working_orders() -> None:
    world = World()
    world.gate.instrument_caps[AAPL] = 10_000.0
    assert world.code(world.order(99)) is None
    assert world.gate.admit(world.limit(10_000, lots=60), 0) is None
    assert world.code(world.limit(10_000, lots=41)) is Denial.POSITION
    assert world.code(world.limit(10_000, lots=40)) is None
    assert world.code(world.limit(10_000, Side.SELL, 100)) is None, "the other side has its own worst case"


def test_a_position_over_its_cap_may_be_reduced() -> None:
    world = World()
    world.hold(200)
    world.gate.instrument_caps[AAPL] = 10_000.0
    assert world.code(world.order(1)) is Denial.POSITION
    assert world.code(world.order(50, Side.SELL)) is None
    assert world.code(world.order(400, Side.SELL)) is None
    assert world.code(world.order(401, Side.SELL)) is Denial.POSITION, "turning round beyond it is no reduction"


def test_gross_net_sector_and_strategy_caps() -> None:
    world = World()
    world.hold(100)
    world.hold(-100, instrument_id=MSFT)
    everything, strategy = world.holdings.everything, world.holdings.strategies["s"]
    assert everything.gross == pytest.approx(20_000.0)
    assert everything.net == pytest.approx(0.0)
    everything.gross_cap = 25_000.0
    assert world.code(world.order(51)) is Denial.GROSS_EXPOSURE
    assert world.code(world.order(49)) is None
    everything.lift_caps()
    everything.net_cap = 5_000.0
    assert world.code(world.order(51)) is Denial.NET_EXPOSURE
    everything.lift_caps()
    world.holdings.sectors["technology"].gross_cap = 21_000.0
    assert world.code(world.order(11)) is Denial.GROSS_EXPOSURE
    world.holdings.sectors["technology"].lift_caps()
    strategy.gross_cap = 21_000.0
    assert world.code(world.order(11)) is Denial.GROSS_EXPOSURE
    assert world.code(world.order(11, strategy_id="t")) is None


def test_equity_bounds_buying_power_leverage_and_concentration() -> None:
    world = World(needs_equity=True)
    assert world.code(world.order()) is Denial.NO_EQUITY
    account = world.holdings.account("a")
    account.equity = 10_000.0
    assert world.code(world.order(199)) is None, "half of 19,902 is below 10,000"
    assert world.code(world.order(200)) is Denial.BUYING_POWER
    account.leverage_cap = 1.5
    assert world.code(world.order(150)) is Denial.LEVERAGE
    account.lift_caps()
    account.concentration_cap = 0.25
    assert world.code(world.order(26)) is Denial.CONCENTRATION
    account.lift_caps()
    account.equity = -1.0
    assert world.code(world.order(1)) is Denial.BUYING_POWER


def test_without_equity_a_reducing_order_still_passes() -> None:
    world = World()
    world.hold(100)
    account = world.holdings.accounts["a"]
    account.equity = -500.0
    account.margin_utilization = 2.0
    assert world.code(world.order(100, Side.SELL)) is None


def test_margin_utilisation_stops_growth() -> None:
    world = World(max_margin_utilization=0.95)
    account = world.holdings.account("a")
    account.equity, account.margin_utilization = 1e6, 0.95
    assert world.code(world.order()) is Denial.MARGIN
    account.margin_utilization = 0.94
    assert world.code(world.order()) is None


def test_what_if_leaves_no_trace() -> None:
    world = World()
    for number in range(50):
        world.gate.check(world.order(account_id=f"a{number}", strategy_id=f"s{number}"), 0)
    assert not world.holdings.accounts
    assert not world.holdings.strategies
    assert not world.holdings.everything.holdings


def test_a_change_is_checked_as_what_is_left() -> None:
    world = World()
    world.gate.instrument_caps[AAPL] = 10_000.0
    order = world.limit(10_000, lots=60)
    assert world.gate.admit(order, 0) is None
    world.fill(order, 20)
    change = ModifyOrder(client_order_id=order.client_order_id, quantity_lots=101)
    refusal = world.gate.admit_change(change, 0)
    assert refusal is not None
    assert refusal[0] is Denial.POSITION
    assert world.holdings.orders[order.client_order_id].remaining_lots == 40
    assert world.gate.admit_change(ModifyOrder(client_order_id=order.client_order_id, quantity_lots=100), 0) is None
    assert world.holdings.orders[order.client_order_id].remaining_lots == 80
    world.holdings.apply(event(OrderModified, order, quantity_lots=100, price_ticks=9_900, trigger_ticks=None))
    assert world.holdings.orders[order.client_order_id].remaining_lots == 80
    too_small = world.gate.admit_change(ModifyOrder(client_order_id=order.client_order_id, quantity_lots=20), 0)
    assert too_small is not None
    assert too_small[0] is Denial.QUANTITY
    unknown = world.gate.admit_change(ModifyOrder(client_order_id="nobody"), 0)
    assert unknown is not None
    assert unknown[0] is Denial.UNKNOWN_ORDER


def test_events_alone_rebuild_the_view() -> None:
    live, again = World(), World()
    order = live.limit(10_000, lots=60)
    assert live.gate.admit(order, 0) is None
    for world in (live, again):
        world.holdings.apply(event(OrderInitialized, order, order=order))
        world.holdings.apply(event(OrderSubmitted, order))
        world.fill(order, 25)
        world.holdings.revalue(world.gate.mark)
    assert again.holdings.state() == live.holdings.state()
    assert again.holdings.everything.gross == pytest.approx(live.holdings.everything.gross)
    restored = World()
    restored.holdings.restore(live.holdings.state())
    restored.holdings.revalue(restored.gate.mark)
    assert restored.holdings.everything.gross == pytest.approx(6_000.0)
    assert restored.code(order) is Denial.DUPLICATE_ORDER_ID


def test_holdings_of_an_instrument_that_becomes_known_later() -> None:
    world = World()
    late = equity("LATE.XNAS")
    order = world.order(instrument_id=late.id)
    world.fill(order, 10)
    assert world.holdings.positions() == []
    world.instruments.add(late)
    world.quotes[late.id] = Quote(late.id, 9_999, 10_001, 1, 1, 0, 0)
    world.holdings.adopt()
    world.holdings.revalue(world.gate.mark)
    assert world.holdings.everything.gross == pytest.approx(1_000.0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([AAPL, MSFT]),
            st.sampled_from(["a", "b"]),
            st.sampled_from(["s", "t"]),
            st.sampled_from([Side.BUY, Side.SELL]),
            st.integers(1, 50),
            st.integers(0, 50),
            st.booleans(),
        ),
        max_size=25,
    )
)
def test_the_sums_are_those_of_a_plain_recount(steps: list[tuple[str, str, str, Side, int, int, bool]]) -> None:
    world = World()
    held: dict[tuple[str, str], int] = {}
    buys: dict[tuple[str, str], int] = {}
    sells: dict[tuple[str, str], int] = {}
    for name, account, strategy, side, lots, filled, cancel in steps:
        order = world.limit(10_000, side, lots, instrument_id=name, account_id=account, strategy_id=strategy)
        assert world.gate.admit(order, 0) is None
        key, done = (account, name), min(filled, lots)
        if done:
            world.fill(order, done)
            held[key] = held.get(key, 0) + side * done
        if cancel:
            world.holdings.apply(event(OrderCanceled, order))
        else:
            working = buys if side is Side.BUY else sells
            working[key] = working.get(key, 0) + lots - done
    gross = sum(
        100.0 * max(abs(held.get(key, 0) + buys.get(key, 0)), abs(held.get(key, 0) - sells.get(key, 0)))
        for key in held.keys() | buys.keys() | sells.keys()
    )
    assert world.holdings.everything.gross == pytest.approx(gross, abs=1e-6)
    world.holdings.revalue(world.gate.mark)
    assert world.holdings.everything.gross == pytest.approx(gross, abs=1e-6)
    assert sum(account.gross for account in world.holdings.accounts.values()) == pytest.approx(gross, abs=1e-6)
