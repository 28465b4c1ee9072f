"""One feature over the columns of a request."""

import math
from collections.abc import Iterable

import numpy as np

from nautilus.engines.features.models import ComputeRequest, ComputeResult
from nautilus.engines.features.registry import feature
from nautilus.errors import Invalid


def defined(values: Iterable[float]) -> tuple[float | None, ...]:
    """The values with None for what is not finite.

    >>> defined([1.0, math.nan])
    (1.0, None)
    """
    return tuple([value if math.isfinite(value) else None for value in values])


def compute(request: ComputeRequest) -> ComputeResult:
    """The batch form over the columns of a request; raises NotFound, Invalid."""
    bound = feature(request.feature).bind(request.output, **request.parameters)
    given = {name.rpartition(".")[2]: column for name, column in request.columns.items()}
    wanted = [name.rpartition(".")[2] for name in bound.feature.inputs]
    for name in wanted:
        if name not in given:
            raise Invalid(f"columns.{name}", f"is missing: {request.feature} needs {', '.join(wanted)}")
    values = bound.batch(*(np.array(given[name], dtype=np.float64) for name in wanted))
    return ComputeResult(bound.label, bound.feature.unit, bound.warm_up, list(defined(values.tolist())))
