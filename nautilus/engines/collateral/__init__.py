"""Collateral: how much margin positions need, how much of it is used, and when the call would come."""

from nautilus.engines.collateral.house_model import HOUSE_RATES, house_margin
from nautilus.engines.collateral.margin_call_time import call_probability, excess_deviation, time_to_call
from nautilus.engines.collateral.margin_position import Margin, MarginPosition, PositionMargin
from nautilus.engines.collateral.option_margin import (
    OptionLeg,
    cash_secured_put,
    spread_requirement,
    written_option_requirement,
    written_strangle_requirement,
)
from nautilus.engines.collateral.reg_t import call_price, reg_t_margin, short_maintenance
from nautilus.engines.collateral.utilization_alerts import UtilizationAlarm, UtilizationAlert
from nautilus.engines.collateral.what_if import MARGIN_MODELS, MarginWhatIf, margin_of, what_if

__all__ = [
    "HOUSE_RATES",
    "MARGIN_MODELS",
    "Margin",
    "MarginPosition",
    "MarginWhatIf",
    "OptionLeg",
    "PositionMargin",
    "UtilizationAlarm",
    "UtilizationAlert",
    "call_price",
    "call_probability",
    "cash_secured_put",
    "excess_deviation",
    "house_margin",
    "margin_of",
    "reg_t_margin",
    "short_maintenance",
    "spread_requirement",
    "time_to_call",
    "what_if",
    "written_option_requirement",
    "written_strangle_requirement",
]
