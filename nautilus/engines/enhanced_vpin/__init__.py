"""Microstructure beyond VPIN: price impact, spreads, order-flow imbalance, PIN and a crash score, for a notebook."""

from nautilus.engines.enhanced_vpin.flash_crash import CrashInputs, CrashScale, CrashScore, crash_score
from nautilus.engines.enhanced_vpin.improved_vpin import ImprovedVpin, estimate_improved_vpin, improved_vpin
from nautilus.engines.enhanced_vpin.order_flow import (
    order_flow_event,
    order_flow_events,
    order_flow_imbalance,
    price_response,
)
from nautilus.engines.enhanced_vpin.pin import PinEstimate, PinParameters, estimate_pin, log_likelihood
from nautilus.engines.enhanced_vpin.price_impact import amihud, hasbrouck_lambda, kyle_lambda, signed_root_value
from nautilus.engines.enhanced_vpin.recommendation import DEFAULT_RULES, Recommendation, Rule, recommend
from nautilus.engines.enhanced_vpin.regression import Regression, RollingRegression, regress
from nautilus.engines.enhanced_vpin.spread_estimators import abdi_ranaldo, corwin_schultz, edge, roll
from nautilus.engines.enhanced_vpin.trade_costs import CostMeter, HorizonCost, TradeCosts, trade_costs

__all__ = [
    "DEFAULT_RULES",
    "CostMeter",
    "CrashInputs",
    "CrashScale",
    "CrashScore",
    "HorizonCost",
    "ImprovedVpin",
    "PinEstimate",
    "PinParameters",
    "Recommendation",
    "Regression",
    "RollingRegression",
    "Rule",
    "TradeCosts",
    "abdi_ranaldo",
    "amihud",
    "corwin_schultz",
    "crash_score",
    "edge",
    "estimate_improved_vpin",
    "estimate_pin",
    "hasbrouck_lambda",
    "improved_vpin",
    "kyle_lambda",
    "log_likelihood",
    "order_flow_event",
    "order_flow_events",
    "order_flow_imbalance",
    "price_response",
    "recommend",
    "regress",
    "roll",
    "signed_root_value",
    "trade_costs",
]
