"""VPIN: volume buckets, trade classification, order-flow toxicity and its alerts, as functions for a notebook."""

from nautilus.engines.vpin.batch import SampleVpin, VpinSeries, sample_vpin, vpin_series
from nautilus.engines.vpin.bucket_stream import Bucket, BucketStream
from nautilus.engines.vpin.buckets import pour, signed_buckets
from nautilus.engines.vpin.bulk_volume import buy_share, causal_buy_share, change_deviation
from nautilus.engines.vpin.estimator import VpinEstimator, VpinPoint
from nautilus.engines.vpin.settings import VpinSettings
from nautilus.engines.vpin.time_bars import price_changes, time_bars
from nautilus.engines.vpin.toxicity import LEVELS, ToxicityLevel, next_level, severity
from nautilus.engines.vpin.trade_sides import accuracy, classify, emo, lee_ready, prevailing, quote_rule, tick_rule
from nautilus.engines.vpin.vpin_series import EmpiricalDistribution, RollingVpin, empirical_cdf, rolling_vpin

__all__ = [
    "LEVELS",
    "Bucket",
    "BucketStream",
    "EmpiricalDistribution",
    "RollingVpin",
    "SampleVpin",
    "ToxicityLevel",
    "VpinEstimator",
    "VpinPoint",
    "VpinSeries",
    "VpinSettings",
    "accuracy",
    "buy_share",
    "causal_buy_share",
    "change_deviation",
    "classify",
    "emo",
    "empirical_cdf",
    "lee_ready",
    "next_level",
    "pour",
    "prevailing",
    "price_changes",
    "quote_rule",
    "rolling_vpin",
    "sample_vpin",
    "severity",
    "signed_buckets",
    "tick_rule",
    "time_bars",
    "vpin_series",
]
