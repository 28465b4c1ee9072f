"""What a trade would do to margin, computed twice in full: before, and after."""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from nautilus.engines.collateral.house_model import house_margin
from nautilus.engines.collateral.margin_position import Margin, MarginPosition
from nautilus.engines.collateral.reg_t import reg_t_margin
from nautilus.errors import Invalid

type MarginModel = Literal["house", "reg_t"]
type MarginFunction = Callable[[Sequence[MarginPosition], float, float], Margin]

MARGIN_MODELS: dict[str, MarginFunction] = {"house": house_margin, "reg_t": reg_t_margin}
"""Every model by name."""


class MarginWhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """Margin before and after, and whether the account could carry the trade (initial margin within collateral)."""

    before: Margin
    after: Margin
    initial_change: float
    allowed: bool


def margin_of(model: str, positions: Sequence[MarginPosition], collateral: float, variation: float = 0.0) -> Margin:
    """Margin by a model's name; raises Invalid for a name that is none."""
    function = MARGIN_MODELS.get(model)
    if function is None:
        raise Invalid("model", f"must be one of {', '.join(MARGIN_MODELS)}, not {model!r}")
    return function(positions, collateral, variation)


def what_if(
    model: str, positions: Sequence[MarginPosition], trade: MarginPosition, collateral: float, fee: float = 0.0
) -> MarginWhatIf:
    """Margin with and without `trade`, bought (positive quantity) or sold at its price; `fee` leaves the collateral.

    The whole position is valued at the trade's price afterwards. A trade that lowers initial margin is always allowed.
    """
    before = margin_of(model, positions, collateral)
    held = next((item for item in positions if item.instrument_id == trade.instrument_id), None)
    others = [item for item in positions if item.instrument_id != trade.instrument_id]
    total = msgspec.structs.replace(trade, quantity=trade.quantity + (held.quantity if held else 0.0))
    after = margin_of(model, [*others, total] if total.quantity else others, collateral - fee)
    change = after.initial - before.initial
    return MarginWhatIf(
        before=before,
        after=after,
        initial_change=change,
        allowed=change <= 0.0 or after.initial <= after.collateral,
    )
