"""What the collateral engine is configured with, asked and answers."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from nautilus.engines.base import EngineConfig
from nautilus.engines.collateral.call_forecast import Calibration, CallForecast
from nautilus.engines.collateral.margin_position import Margin, MarginPosition
from nautilus.engines.collateral.utilization_alerts import AlertLevel
from nautilus.model.orders import Identifier

type Model = Literal["house", "reg_t"]
type Amount = Annotated[float, Meta(ge=-1e15, le=1e15)]


class CollateralConfig(EngineConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Configuration of the collateral engine."""

    model: Annotated[Model, Meta(description="Margin model of the live accounts.")] = "house"
    base_currency: Annotated[str, Meta(pattern="^[A-Z]{3,5}$", description="Currency of every figure.")] = "USD"
    currency_rates: Annotated[
        dict[str, Annotated[float, Meta(gt=0, le=1e9)]],
        Meta(description="What a unit of another currency is worth in the base currency, until a quote says more."),
    ] = msgspec.field(default_factory=dict)
    warning: Annotated[float, Meta(gt=0, le=10, description="Utilisation from which the alert is a warning.")] = 0.80
    critical: Annotated[float, Meta(gt=0, le=10, description="... is critical.")] = 0.90
    emergency: Annotated[float, Meta(gt=0, le=10, description="... is an emergency.")] = 0.95
    hysteresis: Annotated[float, Meta(ge=0, le=1, description="How far below its threshold a level is left.")] = 0.02
    cooldown_seconds: Annotated[float, Meta(ge=0, le=86_400, description="When a level that stays is told again.")] = (
        300.0
    )
    update_seconds: Annotated[float, Meta(gt=0, le=3_600, description="Least time between two calculations.")] = 1.0
    return_seconds: Annotated[
        float, Meta(gt=0, le=86_400, description="Interval of the returns behind volatility.")
    ] = 10.0
    return_count: Annotated[int, Meta(ge=30, le=100_000, description="How many returns are kept.")] = 1_000
    minimum_returns: Annotated[int, Meta(ge=2, le=100_000, description="How many volatility needs at least.")] = 30
    decay: Annotated[float, Meta(gt=0, lt=1, description="Decay of exponentially weighted volatility.")] = 0.99
    trading_seconds_per_year: Annotated[
        float, Meta(gt=0, le=31_622_400, description="For annual volatility; 252 days of 6.5 hours.")
    ] = 5_896_800.0
    horizon_minutes: Annotated[float, Meta(gt=0, le=10_080, description="How far ahead a margin call is forecast.")] = (
        60.0
    )


class AccountMargin(msgspec.Struct, frozen=True, kw_only=True):
    """Margin of one account now. `forecast` is None until there are enough returns of everything held."""

    account_id: str
    currency: str
    margin: Margin
    level: AlertLevel
    forecast: CallForecast | None
    calibration: Calibration


class MarginRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Positions to be margined, and what there is to cover them."""

    positions: Annotated[list[MarginPosition], Meta(max_length=10_000)]
    collateral: Amount
    variation: Amount = 0.0
    model: Model = "house"


class WhatIfRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trade of an account: signed lots (negative sells), at a price in ticks or at the mark."""

    account_id: Identifier
    instrument_id: Annotated[str, Meta(max_length=64)]
    quantity_lots: Annotated[int, Meta(ge=-(10**12), le=10**12)]
    price_ticks: Annotated[int, Meta(ge=1, le=10**9)] | None = None
    fee: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    model: Model = "house"


class MarginAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that was told: a level entered or repeated (`active`), or left."""

    account_id: str
    level: AlertLevel
    active: bool
    utilization: float
    required_amount: float
    action: str
    ts_event: int


class ModelDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A margin model: what it asks for, and its rates by name."""

    name: str
    description: str
    rates: dict[str, dict[str, float]]
