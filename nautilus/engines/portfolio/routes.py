"""HTTP operations of the portfolio engine."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from nautilus.engines.operation import Operation, get, post
from nautilus.engines.portfolio.exact_money import exact
from nautilus.engines.portfolio.holding import Holding
from nautilus.engines.portfolio.ledger import Entry
from nautilus.engines.portfolio.models import (
    AccountView,
    DepositRequest,
    FrontierRequest,
    LotView,
    NetAssetValue,
    OptimalPortfolio,
    OptimizeRequest,
)
from nautilus.engines.portfolio.optimize import frontier, optimize
from nautilus.model import Position

if TYPE_CHECKING:
    from nautilus.engines.portfolio.engine import PortfolioEngine

AccountId = Annotated[str, Meta(max_length=64)]
Limit = Annotated[int, Meta(ge=1, le=10_000)]


def portfolio_routes(engine: "PortfolioEngine") -> list[Operation]:
    """The operations, static paths first."""

    async def accounts() -> list[AccountView]:
        """Every account."""
        return [engine.account(account_id) for account_id in engine.books.accounts]

    async def account(account_id: AccountId) -> AccountView:
        """One account: NAV in its base currency, and cash, value and profit by currency."""
        return engine.account(account_id)

    async def positions(account_id: AccountId, closed: bool = False, limit: Limit = 1_000) -> list[Position]:
        """Open positions of an account, or also the closed ones with what they realised."""
        book = engine.books[account_id]
        engine.settle()
        kept = (holding for holding in book.holdings.values() if closed or holding.lots.quantity_lots)
        return [holding.position(account_id) for holding in islice(kept, limit)]

    async def lots(
        account_id: AccountId, instrument_id: Annotated[str, Meta(max_length=64)] = "", limit: Limit = 1_000
    ) -> list[LotView]:
        """Open lots of an account, or of one of its positions; the next to be closed first where that is fixed."""
        book = engine.books[account_id]
        engine.settle()
        held = [book.holdings[instrument_id]] if instrument_id in book.holdings else []
        chosen = held if instrument_id else book.holdings.values()
        return list(islice((view for holding in chosen for view in _lot_views(holding)), limit))

    async def ledger(account_id: AccountId, limit: Limit = 100) -> list[Entry]:
        """Newest entries of the double-entry ledger, newest first; amounts debited are positive."""
        return list(islice(reversed(engine.books[account_id].ledger.entries), limit))

    async def deposit(account_id: AccountId, body: DepositRequest) -> AccountView:
        """Pay money into (positive) or out of (negative) an account."""
        return await engine.pay(account_id, body)

    async def net_asset_value() -> NetAssetValue:
        """NAV of every account and their sum by base currency."""
        return engine.net_asset_value()

    async def optimal(body: OptimizeRequest) -> OptimalPortfolio:
        """Find the weights of a portfolio; infeasible limits answer 422 naming those in conflict."""
        return await engine.accel.run(optimize, body)

    async def efficient(body: FrontierRequest) -> list[OptimalPortfolio]:
        """The efficient frontier of mean and variance."""
        return await engine.accel.run(frontier, body)

    return [
        get("/accounts", accounts),
        get("/accounts/{account_id}", account),
        get("/accounts/{account_id}/positions", positions),
        get("/accounts/{account_id}/lots", lots),
        get("/accounts/{account_id}/ledger", ledger),
        post("/accounts/{account_id}/deposit", deposit),
        get("/nav", net_asset_value),
        post("/optimize", optimal, scope="read"),
        post("/frontier", efficient, scope="read"),
    ]


def _lot_views(holding: Holding) -> list[LotView]:
    instrument, mark = holding.instrument, holding.mark_half_ticks
    unit = instrument.value(1.0, 1.0)
    views = []
    with exact():
        for lot in holding.lots:
            worth = None if mark is None else instrument.exact_value(mark, lot.quantity_lots) / 2
            views.append(
                LotView(
                    instrument_id=instrument.id,
                    quantity_lots=lot.quantity_lots,
                    cost=lot.cost,
                    average_price_ticks=float(lot.cost) / (lot.quantity_lots * unit),
                    unrealized_pnl=None if worth is None else worth - lot.cost,
                    trade_id=lot.trade_id,
                    ts_event=lot.ts_event,
                )
            )
    return views
