"""What a request asks for, computed: a formula over given panels, factor returns of given panels. Runs off the loop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.factor.evaluate import evaluate
from nautilus.engines.factor.exposures import one_hot
from nautilus.engines.factor.factor_returns import estimate_factor_returns
from nautilus.engines.factor.fields import FieldKind
from nautilus.engines.factor.graph import Graph
from nautilus.engines.factor.live_factors import numbers
from nautilus.engines.factor.models import (
    MAXIMUM_CELLS,
    EvaluateRequest,
    EvaluateResult,
    ReturnsRequest,
    ReturnsResult,
)
from nautilus.engines.factor.syntax import ExpressionError
from nautilus.errors import Invalid

MAXIMUM_WORK = 500_000_000
"""Most additions, roughly, that one formula may cost over its panel: about a second."""


def evaluate_request(request: EvaluateRequest) -> EvaluateResult:
    """The value of a formula. Raises Invalid naming the field at fault."""
    panel = {name: _panel(f"fields.{name}", rows) for name, rows in request.fields.items()}
    shape = _one_shape(panel)
    for name, labels in request.groups.items():
        if name in panel:
            raise Invalid(f"groups.{name}", "is given as a field too")
        if len(labels) != shape[1]:
            raise Invalid(f"groups.{name}", f"must have one label for each of {shape[1]} instruments")
        panel[name] = np.broadcast_to(_codes(labels), shape)
    kinds: dict[str, FieldKind] = {name: "group" if name in request.groups else "number" for name in panel}
    graph = Graph(kinds)
    try:
        graph.add("value", request.expression)
    except ExpressionError as error:
        raise Invalid("expression", str(error)) from None
    if graph.cost(["value"]) * shape[0] * shape[1] > MAXIMUM_WORK:
        raise Invalid("expression", "would take too long on a panel of this size")
    values = evaluate(graph, panel)["value"]
    node = graph["value"]
    return EvaluateResult(
        canonical=node.text,
        lookback=node.rows,
        cross_sectional=node.cross_sectional,
        defined=int(np.isfinite(values).sum()),
        values=[numbers(row) for row in values[-request.last :]],
    )


def returns_request(request: ReturnsRequest) -> ReturnsResult:
    """Factor returns. Raises Invalid naming the field at fault."""
    panel = {"returns": _panel("returns", request.returns), "market_caps": _panel("market_caps", request.market_caps)}
    panel |= {f"styles.{name}": _panel(f"styles.{name}", rows) for name, rows in request.styles.items()}
    dates, assets = _one_shape(panel)
    labels = request.sectors or []
    if request.sectors is not None and len(labels) != assets:
        raise Invalid("sectors", f"must have one label for each of {assets} assets")
    sectors = sorted({label for label in labels if label})
    membership = (
        one_hot([sectors.index(label) if label else -1 for label in labels], len(sectors))
        if sectors
        else np.empty((assets, 0))
    )
    styles = [panel[f"styles.{name}"] for name in request.styles]
    if dates * assets * (len(sectors) + len(styles) + 1) > 20 * MAXIMUM_CELLS:
        raise Invalid("sectors", "are too many for panels of this size")
    scores = np.stack(styles, axis=2) if styles else np.empty((dates, assets, 0))
    try:
        found = estimate_factor_returns(
            panel["returns"], panel["market_caps"], membership, scores,
            winsor_share=request.winsor_share, constraint=request.constraint, method=request.method,
        )  # fmt: skip
    except np.linalg.LinAlgError:
        raise Invalid("styles", "give normal equations that cannot be solved") from None
    return ReturnsResult(
        market=numbers(found.market),
        sectors={name: numbers(found.sectors[:, column]) for column, name in enumerate(sectors)},
        styles={name: numbers(found.styles[:, column]) for column, name in enumerate(request.styles)},
        r_squared=numbers(found.r_squared),
        assets=[int(count) for count in found.assets],
        residuals=[numbers(row) for row in found.residuals],
    )


def _panel(field: str, rows: Sequence[Sequence[float | None]]) -> NDArray[np.float64]:
    width = len(rows[0])
    for index, row in enumerate(rows):
        if len(row) != width:
            raise Invalid(f"{field}[{index}]", f"must have {width} numbers like the first row, not {len(row)}")
    if len(rows) * width > MAXIMUM_CELLS:
        raise Invalid(field, f"must have at most {MAXIMUM_CELLS} cells")
    return np.array([[np.nan if cell is None else cell for cell in row] for row in rows], dtype=np.float64)


def _one_shape(panel: dict[str, NDArray[np.float64]]) -> tuple[int, int]:
    shape = next(iter(panel.values())).shape
    for name, values in panel.items():
        if values.shape != shape:
            raise Invalid(name, f"must be {shape[0]} dates of {shape[1]} like the others, not {values.shape}")
    if sum(values.size for values in panel.values()) > MAXIMUM_CELLS:
        raise Invalid("fields", f"must have at most {MAXIMUM_CELLS} cells in all")
    return shape[0], shape[1]


def _codes(labels: Sequence[str]) -> NDArray[np.float64]:
    known: dict[str, int] = {}
    return np.array([known.setdefault(label, len(known)) if label else np.nan for label in labels], dtype=np.float64)
