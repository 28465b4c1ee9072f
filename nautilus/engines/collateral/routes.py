"""HTTP operations of the collateral engine."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from nautilus.engines.collateral import reg_t
from nautilus.engines.collateral.house_model import HOUSE_RATES
from nautilus.engines.collateral.margin_position import Margin
from nautilus.engines.collateral.models import (
    AccountMargin,
    MarginAlert,
    MarginRequest,
    ModelDescription,
    WhatIfRequest,
)
from nautilus.engines.collateral.what_if import MarginWhatIf, margin_of
from nautilus.engines.operation import Operation, get, post

if TYPE_CHECKING:
    from nautilus.engines.collateral.engine import CollateralEngine


def collateral_routes(engine: "CollateralEngine") -> list[Operation]:
    """The operations, static paths first."""

    async def accounts() -> list[str]:
        """Accounts that hold something or have equity."""
        return sorted(engine.accounts)

    async def current(account_id: Annotated[str, Meta(max_length=64)]) -> AccountMargin:
        """Margin, utilisation, alert level and the forecast of a margin call of one account."""
        return engine.view(account_id)

    async def compute(body: MarginRequest) -> Margin:
        """Margin of the positions given."""
        return await engine.accel.run(margin_of, body.model, body.positions, body.collateral, body.variation)

    async def whatif(body: WhatIfRequest) -> MarginWhatIf:
        """Margin of an account with and without a trade."""
        return engine.what_if(body)

    async def alerts(
        account_id: Annotated[str, Meta(max_length=64)] = "", limit: Annotated[int, Meta(ge=1, le=1_000)] = 100
    ) -> list[MarginAlert]:
        """Latest alerts, oldest first, of one account or of all."""
        found = [alert for alert in engine.alerts if account_id in {"", alert.account_id}]
        return found[-limit:]

    async def models() -> list[ModelDescription]:
        """The margin models and their rates."""
        return [_house(), _reg_t()]

    return [
        get("/margin", accounts),
        post("/margin", compute, scope="read"),
        get("/margin/{account_id}", current),
        post("/what-if", whatif, scope="read"),
        get("/alerts", alerts),
        get("/models", models),
    ]


def _house() -> ModelDescription:
    return ModelDescription(
        name="house",
        description=(
            "Rates by asset class, with add-ons for volatility above 30% a year, for bond duration (1% a year) and 10% "
            "for a position above 10 million; long and short of one class offset each other in part, at most by half. "
            "Requirement is net initial margin plus variation owed."
        ),
        rates={
            asset_class: {
                "initial": rates.initial,
                "maintenance": rates.maintenance,
                "volatility_multiplier": rates.volatility_multiplier,
                "offset": rates.offset,
            }
            for asset_class, rates in HOUSE_RATES.items()
        },
    )


def _reg_t() -> ModelDescription:
    return ModelDescription(
        name="reg_t",
        description=(
            "Regulation T and FINRA 4210 for stocks and ETFs: initial 50%; maintenance 25% of longs, of shorts the "
            "larger of 30% and 5 dollars a share, below 5 dollars the larger of all and 2.50 dollars a share. Anything "
            "else is charged in full. Requirement is maintenance margin plus variation owed."
        ),
        rates={
            "long": {"initial": reg_t.INITIAL_RATE, "maintenance": reg_t.LONG_MAINTENANCE_RATE},
            "short": {"initial": reg_t.INITIAL_RATE, "maintenance": reg_t.SHORT_MAINTENANCE_RATE},
        },
    )
