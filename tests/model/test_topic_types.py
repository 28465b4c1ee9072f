"""Every topic that can be named has a type by which its messages are read."""

import typing
from typing import Any

import pytest

from nautilus.errors import Invalid
from nautilus.model import messages, topics
from nautilus.model.instruments import Instrument
from nautilus.model.market import Bar, BookDelta, BookDepth, Quote, Trade
from nautilus.model.orders import OrderEvent, OrderFilled
from nautilus.model.topic_types import TYPES, message_class, source_engine

NAMES: dict[str, Any] = {
    "messages": messages,
    "Instrument": Instrument,
    "Bar": Bar,
    "BookDelta": BookDelta,
    "BookDepth": BookDepth,
    "Quote": Quote,
    "Trade": Trade,
    "OrderEvent": OrderEvent,
    "OrderFilled": OrderFilled,
}


def topic_functions() -> dict[str, str]:
    """Functions of nautilus.model.topics that name a topic, with the expression of their message type."""
    found = {}
    for name, function in vars(topics).items():
        hint = getattr(function, "__annotations__", {}).get("return", "")
        if isinstance(hint, str) and hint.startswith("Topic["):
            found[name] = hint.removeprefix("Topic[").removesuffix("]")
    return found


def test_every_topic_function_agrees_with_the_table() -> None:
    functions = topic_functions()
    assert len(functions) > 25
    for name, expression in functions.items():
        function = getattr(topics, name)
        topic = function(*["x"] * function.__code__.co_argcount)
        announced = eval(expression, NAMES)  # the annotation as mypy reads it
        listed = typing.get_args(message_class(topic)) or (message_class(topic),)
        assert set(typing.get_args(announced) or (announced,)) <= set(listed), name


def test_every_family_that_is_listed_exists_and_has_an_engine_or_none() -> None:
    assert set(TYPES) <= set(topics.FAMILIES)
    assert source_engine("vpin.A.XNAS") == "vpin"
    assert source_engine("health.vpin") is None


def test_a_family_without_a_type_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match="'stress_test' have no type"):
        message_class("stress_test.x")
