"""HTTP operations of the factor engine."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from nautilus.engines.factor.definition import Definition, library
from nautilus.engines.factor.fields import DERIVED, FIELDS
from nautilus.engines.factor.models import (
    Category,
    EvaluateRequest,
    EvaluateResult,
    FieldEntry,
    Language,
    LiveFactor,
    LiveReturn,
    OperatorEntry,
    ReturnsRequest,
    ReturnsResult,
)
from nautilus.engines.factor.operators import operators
from nautilus.engines.factor.requests import evaluate_request, returns_request
from nautilus.engines.factor.syntax import Limits
from nautilus.engines.operation import Operation, get, post
from nautilus.errors import NotFound

if TYPE_CHECKING:
    from nautilus.engines.factor.engine import FactorEngine

Text = Annotated[str, Meta(max_length=64)]


def factor_routes(engine: "FactorEngine") -> list[Operation]:
    """The operations, static paths first."""

    async def definitions(category: Text = "", search: Text = "") -> list[Definition]:
        """Every definition, or those of one category or with some text in their name or source."""
        wanted = search.lower()
        return [
            definition
            for definition in library().values()
            if category in {"", definition.category}
            and (wanted in definition.name.lower() or wanted in definition.source.lower())
        ]

    async def definition(name: Text) -> Definition:
        """One definition: its formula, inputs, unit, category and source."""
        try:
            return library()[name]
        except KeyError:
            raise NotFound("factor", name) from None

    async def categories() -> list[Category]:
        """The categories of definitions, largest first."""
        counts = Counter(definition.category for definition in library().values())
        return [Category(name, count) for name, count in counts.most_common()]

    async def vocabulary() -> Language:
        """The factor language: operators, fields and limits."""
        return language()

    async def evaluate(body: EvaluateRequest) -> EvaluateResult:
        """A formula over the panels given."""
        return await engine.accel.run(evaluate_request, body)

    async def returns(body: ReturnsRequest) -> ReturnsResult:
        """Market, sector and style factor returns of the panels given."""
        return await engine.accel.run(returns_request, body)

    async def values(category: Text = "") -> list[LiveFactor]:
        """Latest cross-section of every live factor, or of those of one category."""
        return engine.live_factors(category)

    async def value(name: Text) -> LiveFactor:
        """Latest cross-section of one factor."""
        return engine.live_factor(name)

    async def latest_returns() -> LiveReturn:
        """Factor returns of the last row of the live panel."""
        return engine.latest_returns()

    return [
        get("/definitions", definitions),
        get("/definitions/{name}", definition),
        get("/categories", categories),
        get("/language", vocabulary),
        post("/evaluate", evaluate, scope="read"),
        post("/returns", returns, scope="read"),
        get("/values", values),
        get("/values/{name}", value),
        get("/returns/latest", latest_returns),
    ]


def language() -> Language:
    """The vocabulary as it is shown."""
    limits = Limits()
    entries = [OperatorEntry(entry.signature, entry.shape.value, entry.meaning) for entry in operators().values()]
    fields = [FieldEntry(field.name, field.kind, field.unit, field.meaning, None) for field in FIELDS.values()]
    fields += [FieldEntry(name, "number", "", "derived", formula) for name, formula in DERIVED.items()]
    return Language(entries, fields, limits.characters, limits.depth, limits.nodes, limits.window)
