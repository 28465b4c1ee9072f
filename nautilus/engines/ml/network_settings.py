"""Shape and training of a network, as a request gives them and a recipe keeps them."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

HiddenWidth = Annotated[int, Meta(ge=1, le=256)]


class NetworkSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network of `hidden` layers, trained by Adam on mini-batches of `batch` rows.

    Training ends after `patience` epochs without a better loss on the validation period, at the latest after `epochs`.
    `exact` keeps it in float64: the same bits wherever NumPy computes the same; otherwise a GPU trains in float32 where
    measurements say that it is faster.
    """

    hidden: Annotated[tuple[HiddenWidth, ...], Meta(min_length=1, max_length=4)] = (64, 32)
    activation: Literal["relu", "gelu", "tanh"] = "relu"
    epochs: Annotated[int, Meta(ge=1, le=1000)] = 100
    batch: Annotated[int, Meta(ge=1, le=8192)] = 256
    learning_rate: Annotated[float, Meta(gt=0, le=1)] = 1e-3
    weight_decay: Annotated[float, Meta(ge=0, le=1)] = 0.1
    patience: Annotated[int, Meta(ge=1, le=1000)] = 10
    exact: bool = False
