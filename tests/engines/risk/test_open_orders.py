"""What the gate counts as open while changes are on their way, after a restart, and by account."""

from nautilus.engines.risk.denial import Denial
from nautilus.engines.risk.holdings import HoldingsState
from nautilus.model.enums import OrderType, Side
from nautilus.model.orders import ModifyOrder, OrderInitialized, OrderModified, OrderSubmitted, SubmitOrder
from tests.engines.risk.test_gate import AAPL, MSFT, World, event


def admitted(world: World, order: SubmitOrder) -> SubmitOrder:
    assert world.gate.admit(order, 0) is None
    return order


def ask_for(world: World, order: SubmitOrder, lots: int) -> None:
    change = ModifyOrder(client_order_id=order.client_order_id, quantity_lots=lots)
    assert world.gate.admit_change(change, 0) is None


def modified(world: World, order: SubmitOrder, lots: int, trigger: int | None = None) -> None:
    fields = {"quantity_lots": lots, "price_ticks": order.price_ticks, "trigger_ticks": trigger}
    world.holdings.apply(event(OrderModified, order, **fields))


def test_an_order_filled_before_its_enlargement_arrived_is_closed() -> None:
    world = World()
    order = admitted(world, world.limit(10_000, lots=10))
    ask_for(world, order, 25)
    world.fill(order, 4)
    assert world.holdings.orders[order.client_order_id].remaining_lots == 21
    world.fill(order, 6)
    assert not world.holdings.orders
    assert [(held.position, held.open_buy) for _, held in world.holdings.working()] == [(10, 0)]
    assert world.holdings._open == {}


def test_a_change_that_was_not_carried_out_counts_no_more() -> None:
    world = World()
    order = admitted(world, world.limit(10_000, lots=10))
    ask_for(world, order, 25)
    ask_for(world, order, 40)
    assert world.holdings.orders[order.client_order_id].remaining_lots == 40
    world.holdings.unchanged(order.client_order_id)
    assert world.holdings.orders[order.client_order_id].remaining_lots == 40, "the other may still come"
    world.holdings.unchanged(order.client_order_id)
    assert world.holdings.orders[order.client_order_id].remaining_lots == 10
    world.holdings.unchanged("nobody")


def test_a_change_in_force_leaves_a_larger_one_on_its_way_counted() -> None:
    world = World()
    order = admitted(world, world.limit(10_000, lots=10))
    ask_for(world, order, 25)
    ask_for(world, order, 40)
    modified(world, order, 25)
    assert world.holdings.orders[order.client_order_id].remaining_lots == 40
    modified(world, order, 40)
    assert world.holdings.orders[order.client_order_id].remaining_lots == 40


def test_a_triggered_stop_limit_is_a_limit_order_to_the_gate() -> None:
    world = World(price_collar=0.05)
    order = admitted(world, world.order(10, order_type=OrderType.STOP_LIMIT, price_ticks=12_010, trigger_ticks=12_000))
    modified(world, order, 10)
    assert world.holdings.orders[order.client_order_id].triggered
    far = ModifyOrder(client_order_id=order.client_order_id, price_ticks=12_020)
    refusal = world.gate.admit_change(far, 0)
    assert refusal is not None
    assert refusal[0] is Denial.PRICE_COLLAR, "measured from the market, no longer from the trigger"
    assert world.gate.admit_change(ModifyOrder(client_order_id=order.client_order_id, price_ticks=10_100), 0) is None


def test_reduce_only_looks_at_one_account() -> None:
    world = World()
    world.hold(14, account_id="one")
    world.hold(-23, account_id="two")
    assert world.code(world.order(14, Side.SELL, account_id="one", reduce_only=True)) is None
    assert world.code(world.order(5, Side.BUY, account_id="one", reduce_only=True)) is Denial.REDUCE_ONLY
    admitted(world, world.limit(10_100, Side.SELL, 10, account_id="one"))
    assert world.code(world.order(5, Side.SELL, account_id="one", reduce_only=True)) is Denial.REDUCE_ONLY
    assert world.code(world.order(23, Side.BUY, account_id="two", reduce_only=True)) is None


def test_the_kill_switch_lets_closing_orders_through_only_where_it_says_so() -> None:
    world = World()
    world.hold(10)
    closing = world.order(10, Side.SELL, reduce_only=True)
    world.gate.killed = True
    assert world.code(closing) is Denial.KILL_SWITCH
    world.gate.closing = True
    assert world.code(closing) is None
    assert world.code(world.order(10, Side.SELL)) is Denial.KILL_SWITCH
    assert world.code(world.limit(10_000, Side.SELL, reduce_only=True)) is Denial.KILL_SWITCH
    assert world.code(world.order(11, Side.SELL, reduce_only=True)) is Denial.REDUCE_ONLY
    change = world.gate.admit_change(ModifyOrder(client_order_id="x", quantity_lots=1), 0)
    assert change is not None


def test_after_a_restart_a_position_has_a_worth_before_its_market_speaks() -> None:
    world = World()
    world.hold(50)
    order = admitted(world, world.limit(10_000, lots=10, instrument_id=MSFT))
    ask_for(world, order, 20)
    silent = World()
    silent.orders = 100
    silent.quotes.clear()
    silent.holdings.restore(world.holdings.state())
    silent.holdings.revalue(silent.gate.mark)
    assert silent.holdings.everything.gross == 50 * 100.0 + 10 * 100.0
    assert silent.holdings.orders[order.client_order_id].remaining_lots == 10, "what was on its way is lost"
    silent.holdings.account("a").gross_cap = 6_500.0
    assert silent.code(silent.limit(10_000, lots=10, instrument_id=AAPL)) is Denial.GROSS_EXPOSURE
    silent.holdings.release(order.client_order_id)
    assert silent.holdings._open == {}


def test_ids_of_an_older_snapshot_are_understood() -> None:
    world = World()
    world.holdings.restore(HoldingsState([], [], ["o1", "o2"]))
    assert world.code(world.order()) is Denial.DUPLICATE_ORDER_ID


def test_a_journal_alone_gives_the_same_orders_by_account() -> None:
    world = World()
    order = world.limit(10_000, lots=10)
    world.holdings.apply(event(OrderInitialized, order, order=order))
    world.holdings.apply(event(OrderSubmitted, order))
    world.fill(order, 4)
    assert world.holdings.own(order) == (4, 6)


def test_a_position_that_comes_and_goes_costs_nothing_for_each_open_order_elsewhere() -> None:
    """A holding that is made anew is filled in from totals, of which there are few, not from every open order."""
    world = World(max_orders_per_second=10_000, max_strategy_orders_per_second=10_000)
    for _ in range(500):
        admitted(world, world.limit(9_990, lots=1, instrument_id=MSFT))
    assert len(world.holdings._open) == 1
    for lots in (3, -3, 5):
        world.hold(lots)
    positions = {held.instrument_id: (held.position, held.open_buy) for _, held in world.holdings.working()}
    assert positions == {MSFT: (0, 500), AAPL: (5, 0)}
