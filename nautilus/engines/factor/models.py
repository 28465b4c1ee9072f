"""The factor engine's configuration, and what its HTTP operations take and give."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from nautilus.engines.base import EngineConfig

MAXIMUM_DATES = 1_000
MAXIMUM_INSTRUMENTS = 1_000
MAXIMUM_CELLS = 200_000
"""Most cells of all the panels of one request together."""

FieldName = Annotated[str, Meta(pattern=r"^[a-z_][a-z0-9_]{0,31}$")]
FactorName = Annotated[str, Meta(pattern=r"^[a-z_][a-z0-9_]{0,47}$")]
Formula = Annotated[str, Meta(min_length=1, max_length=4000)]
Cell = Annotated[float, Meta(ge=-1e15, le=1e15)] | None
Rows = Annotated[
    list[Annotated[list[Cell], Meta(min_length=1, max_length=MAXIMUM_INSTRUMENTS)]],
    Meta(min_length=1, max_length=MAXIMUM_DATES, description="One list for each date, one number for each instrument."),
]
Labels = Annotated[
    list[Annotated[str, Meta(max_length=64)]],
    Meta(min_length=1, max_length=MAXIMUM_INSTRUMENTS, description='One label for each instrument; "" is no group.'),
]


def _default_styles() -> dict[str, str]:
    return {
        "momentum": "zscore(close / delay(close, 60) - 1)",
        "volatility": "zscore(ts_std(returns, 60))",
        "size": "zscore(-1 * log(market_cap))",
    }


class FactorConfig(EngineConfig, frozen=True, kw_only=True):
    """The factor engine's section of the configuration."""

    bar_spec: Annotated[
        str, Meta(pattern=r"^[1-9][0-9]{0,8}[stv]$", description="Bars that make up the live panel.")
    ] = "1s"
    row_seconds: Annotated[int, Meta(ge=1, le=86_400, description="Length of one row of the live panel.")] = 10
    calculate_every_rows: Annotated[
        int, Meta(ge=1, le=10_000, description="Rows from one calculation of the live factors to the next.")
    ] = 1
    grace_seconds: Annotated[
        float, Meta(ge=0, le=60, description="How long after its end a row still waits for bars.")
    ] = 1.0
    carry_rows: Annotated[
        int, Meta(ge=0, le=100_000, description="Rows for which an instrument without trades keeps its last price.")
    ] = 60
    maximum_instruments: Annotated[int, Meta(ge=1, le=5_000, description="Columns of the live panel.")] = 1_000
    synchronous: Annotated[
        bool, Meta(description="Calculate at once, on the loop: for backtests, which must not depend on threads.")
    ] = False
    waiting_rows: Annotated[
        int, Meta(ge=600, le=100_000, description="Rows that may wait for calculation; more, and it begins anew.")
    ] = 1_000
    factors: Annotated[
        tuple[FactorName, ...],
        Meta(description="Live factors by name; empty for every definition whose inputs the live panel has."),
    ] = ()
    expressions: Annotated[dict[FactorName, Formula], Meta(description="Further live factors: name = formula.")] = (
        msgspec.field(default_factory=dict)
    )
    styles: Annotated[
        dict[FactorName, Formula], Meta(description="Styles of the live factor returns: name = formula.")
    ] = msgspec.field(default_factory=_default_styles)


class Category(msgspec.Struct, frozen=True):
    """A category of definitions and how many it has."""

    category: str
    definitions: int


class OperatorEntry(msgspec.Struct, frozen=True):
    """An operator of the language."""

    signature: str
    shape: str
    meaning: str


class FieldEntry(msgspec.Struct, frozen=True):
    """An input field of the language; `formula` where it is derived from others."""

    name: str
    kind: str
    unit: str
    meaning: str
    formula: str | None


class Language(msgspec.Struct, frozen=True):
    """The vocabulary of the factor language, and what a formula may cost."""

    operators: list[OperatorEntry]
    fields: list[FieldEntry]
    maximum_characters: int
    maximum_depth: int
    maximum_nodes: int
    maximum_window: int


class EvaluateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A formula and the panels it names, all of one shape [dates, instruments], oldest date first."""

    expression: Annotated[Formula, Meta(examples=["rank(ts_corr(close, volume, 2))"])]
    fields: Annotated[
        dict[FieldName, Rows],
        Meta(
            min_length=1,
            max_length=24,
            examples=[{"close": [[1.0, 2.0], [1.1, 1.9], [1.2, 2.2]], "volume": [[5.0, 7.0], [6.0, 6.0], [9.0, 5.0]]}],
        ),
    ]
    groups: Annotated[dict[FieldName, Labels], Meta(max_length=8, examples=[{"sector": ["energy", "tech"]}])] = {}
    last: Annotated[int, Meta(ge=1, le=MAXIMUM_DATES, description="How many of the last dates to return.")] = 1


class EvaluateResult(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a formula on the last dates; null where it is not defined."""

    canonical: str
    lookback: int
    cross_sectional: bool
    defined: int
    values: list[list[float | None]]


class ReturnsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Panels [dates, assets] for factor returns; an asset with a null takes no part on that date."""

    returns: Annotated[
        list[
            Annotated[
                list[Annotated[float, Meta(ge=-1000, le=1000)] | None],
                Meta(min_length=1, max_length=MAXIMUM_INSTRUMENTS),
            ]
        ],
        Meta(min_length=1, max_length=MAXIMUM_DATES, examples=[[[0.01, -0.02, 0.005, 0.03]]]),
    ]
    market_caps: Annotated[Rows, Meta(examples=[[[5e9, 2e9, 8e9, 1e9]]])]
    sectors: Annotated[Labels | None, Meta(examples=[["energy", "energy", "tech", "tech"]])] = None
    styles: Annotated[dict[FactorName, Rows], Meta(max_length=32, examples=[{}])] = {}
    winsor_share: Annotated[float, Meta(ge=0, lt=0.5)] | None = 0.05
    constraint: Literal["cap", "equal"] = "cap"
    method: Literal["sequential", "joint"] = "sequential"


class ReturnsResult(msgspec.Struct, frozen=True, kw_only=True):
    """Factor returns of each date; null for a date without assets and a sector without members."""

    market: list[float | None]
    sectors: dict[str, list[float | None]]
    styles: dict[str, list[float | None]]
    r_squared: list[float | None]
    assets: list[int]
    residuals: list[list[float | None]]


class LiveFactor(msgspec.Struct, frozen=True, kw_only=True):
    """One factor over the live cross-section after the last row; `reason` says why no value is defined."""

    name: str
    ts_event: int | None
    values: dict[str, float | None]
    reason: str | None = None


class LiveReturn(msgspec.Struct, frozen=True, kw_only=True):
    """Factor returns of the last row of the live panel; `left_out` says what the model had to do without."""

    ts_event: int
    market: float | None
    sectors: dict[str, float | None]
    styles: dict[str, float | None]
    residuals: dict[str, float | None]
    r_squared: float | None
    assets: int
    weighting: Literal["market_cap", "equal"]
    left_out: tuple[str, ...]
