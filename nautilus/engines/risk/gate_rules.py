"""What the gate allows, as configured. Limits that may change while trading are `nautilus.engines.risk.limits`."""

from typing import Annotated

import msgspec
from msgspec import Meta

from nautilus.model.enums import AssetClass

type Rate = Annotated[float, Meta(ge=0, le=10)]


class GateRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds on every single order. None switches a check off."""

    price_collar: Annotated[
        Annotated[float, Meta(ge=0, le=10)] | None,
        Meta(description="How far a limit price may be through the far side of the market, as a fraction of it."),
    ] = 0.10
    max_quote_age_seconds: Annotated[
        Annotated[float, Meta(gt=0, le=86_400)] | None, Meta(description="Older quotes are no market to trade on.")
    ] = 60.0
    max_order_lots: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Largest order in lots; unset: any.")
    ] = None
    max_order_notional: Annotated[
        Annotated[float, Meta(gt=0, le=1e15)] | None, Meta(description="Largest order in the base currency.")
    ] = 10_000_000.0
    max_orders_per_second: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Orders a second, of all strategies together.")
    ] = 1_000
    max_strategy_orders_per_second: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Orders a second of one strategy.")
    ] = 200
    max_open_orders: Annotated[int, Meta(ge=1, le=1_000_000, description="Orders open at once.")] = 10_000
    max_margin_utilization: Annotated[
        Annotated[float, Meta(gt=0, le=10)] | None,
        Meta(description="Utilisation of margin above which only orders that make positions smaller pass."),
    ] = 0.95
    restricted: Annotated[tuple[str, ...], Meta(description="Instruments that may not be traded.")] = ()
    initial_margin: Annotated[
        dict[AssetClass, Rate],
        Meta(description="Share of a position's value that equity must cover; a class not named needs all of it."),
    ] = msgspec.field(
        default_factory=lambda: {
            AssetClass.EQUITY: 0.5,
            AssetClass.ETF: 0.5,
            AssetClass.BOND: 0.1,
            AssetClass.FX: 0.05,
            AssetClass.FUTURE: 0.1,
            AssetClass.OPTION: 1.0,
            AssetClass.COMMODITY: 0.3,
            AssetClass.CRYPTO: 0.5,
        }
    )

    def initial_rate(self, asset_class: AssetClass) -> float:
        """Initial margin rate of an asset class."""
        return self.initial_margin.get(asset_class, 1.0)
