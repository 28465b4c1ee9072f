"""The envelope: what is packed is read again unchanged, and nothing that is sent can do more than be refused."""

import typing
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nautilus.bus.edges.codec import Codec, Fields, Packet
from nautilus.errors import Invalid
from nautilus.model import MessageType, OrderFilled, Quote, Side
from nautilus.model.messages import ComputeRequest
from nautilus.model.topic_types import TYPES
from nautilus.testing import make_instrument

CODEC = Codec()
int64 = st.integers(-(2**63), 2**63 - 1)
quotes = st.builds(Quote, st.text(max_size=20), int64, int64, int64, int64, int64, int64)


def on_the_wire(packet: Packet) -> Fields:
    """The fields as a server gives them back."""
    fields = packet.fields("node")
    return {name: value if isinstance(value, bytes) else str(value).encode() for name, value in fields.items()}


def packed(*messages: Any, topic: str = "quote.A.XNAS") -> Fields:
    items = [(number, topic, number * 10, message) for number, message in enumerate(messages, 1)]
    return on_the_wire(Packet(CODEC.message_type(topic), "i1", 1, len(items), CODEC.pack(items)))


@given(st.lists(quotes, min_size=1, max_size=20))
def test_what_is_packed_is_read_again_in_order(messages: list[Quote]) -> None:
    entry = CODEC.read(packed(*messages))
    assert [CODEC.decode_message(event.topic, event.payload) for event in entry.events] == messages
    assert [(event.sequence, event.ts) for event in entry.events] == [(n, n * 10) for n in range(1, len(messages) + 1)]
    assert (entry.header.instance, entry.header.node, entry.header.count) == ("i1", "node", len(messages))
    assert entry.header.message_id(entry.events[0]) == "i1-1"
    assert not entry.damaged


def test_messages_packed_together_and_one_by_one_are_the_same_bytes_but_for_the_head() -> None:
    items: list[Any] = [(number, "quote.A.XNAS", 0, Quote("A.XNAS", 1, 2, 3, 4, 5, 6)) for number in range(3)]
    one_by_one = CODEC.join([CODEC.pack_one(item) for item in items])
    assert msgspec.msgpack.decode(CODEC.pack(items)) == msgspec.msgpack.decode(one_by_one)


def test_an_event_tells_its_priority_engine_and_correlation() -> None:
    fill = OrderFilled(
        client_order_id="o-1",
        strategy_id="s",
        account_id="a",
        instrument_id="A.XNAS",
        ts_event=1,
        ts_init=1,
        venue_order_id="v",
        trade_id="t",
        side=Side.BUY,
        quantity_lots=1,
        price_ticks=1,
        fee="0.01",
        currency="USD",
        liquidity="taker",
        rule="touch",
    )
    event = CODEC.read(packed(fill, topic="fill.s")).events[0]
    assert (event.priority, event.engine, event.correlation_id) == (2, "strategy", "o-1")
    assert CODEC.decode_message("fill.s", event.payload) == fill
    assert CODEC.decode_message("order.s", event.payload) == fill
    instrument = make_instrument()
    assert CODEC.decode_message("instrument.TEST.SIM", CODEC.encode_message(instrument)) == instrument


@pytest.mark.parametrize("family", TYPES)
def test_the_messages_of_every_family_can_be_told_apart(family: str) -> None:
    with pytest.raises(Invalid, match="payload: is no message of"):
        CODEC.decode_message(f"{family}.x", b"\xc0")
    kinds = typing.get_args(TYPES[family])
    assert len({kind.__struct_config__.tag for kind in kinds}) == len(kinds)


@given(
    arrays.arrays(
        dtype=st.one_of(
            arrays.boolean_dtypes(),
            arrays.integer_dtypes(endianness="?"),
            arrays.unsigned_integer_dtypes(),
            arrays.floating_dtypes(endianness="?"),
            arrays.complex_number_dtypes(sizes=(64, 128)),
        ),
        shape=arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    )
)
def test_arrays_cross_with_their_type_shape_and_bytes_and_are_read_only(array: np.ndarray[Any, Any]) -> None:
    request = ComputeRequest(ts_event=1, request_id="r", kernel="k", arguments=(array, np.float64(0.5), 3))
    found = CODEC.decode_message("compute.request.k", CODEC.encode_message(request)).arguments
    assert (found[0].dtype, found[0].shape, found[0].tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert not found[0].flags.writeable
    assert found[0].flags.aligned
    assert found[1:] == (0.5, 3)


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()]),
        np.array(["text"]),
        np.array([1], dtype="datetime64[ns]"),
        np.zeros((1,) * 9),
        np.zeros(300),
        object(),
    ],
    ids=["objects", "text", "dates", "nine dimensions", "too big", "no array"],
)
def test_what_is_no_array_of_numbers_or_too_big_is_refused_where_it_is_packed(value: object) -> None:
    request = ComputeRequest(ts_event=1, request_id="r", kernel="k", arguments=(value,))
    with pytest.raises(Invalid, match="message: cannot be encoded"):
        Codec(array_max_bytes=2_000).encode_message(request)


@given(st.binary(max_size=60), st.integers(-128, 127))
def test_no_bytes_that_claim_to_be_an_array_do_more_than_be_refused(data: bytes, code: int) -> None:
    forged: Any = ComputeRequest(ts_event=1, request_id="r", kernel="k", arguments=(msgspec.msgpack.Ext(code, data),))
    try:
        found = CODEC.decode_message("compute.request.k", msgspec.msgpack.encode(forged))
    except Invalid:
        return
    assert isinstance(found.arguments[0], np.ndarray) or code == -1  # -1 is MessagePack's own timestamp


@given(
    st.dictionaries(
        st.sampled_from([b"version", b"instance", b"node", b"count", b"first_sequence", b"events"]),
        st.binary(max_size=40),
    )
)
def test_no_entry_whatever_it_holds_does_more_than_be_refused(fields: Fields) -> None:
    for claimed in (fields, {**packed(Quote("A", 1, 2, 3, 4, 5, 6)), **fields}, {**fields, b"version": b"1.0"}):
        try:
            entry = CODEC.read(claimed)
        except Invalid:
            continue
        assert isinstance(entry.events, list)


def test_a_later_minor_version_is_read_and_another_major_one_refused() -> None:
    quote = Quote("A.XNAS", 1, 2, 3, 4, 5, 6)
    later = [1, "quote.A.XNAS", 0, 1, "marketdata", "", {**msgspec.to_builtins(quote), "venue": "new"}, "a new element"]
    fields = {**packed(quote), b"version": b"1.9", b"color": b"blue", b"events": msgspec.msgpack.encode([later])}
    event = CODEC.read(fields).events[0]
    assert CODEC.decode_message(event.topic, event.payload) == quote
    for version in (b"2.0", b"", b"10.0", b"one"):
        with pytest.raises(Invalid, match="version"):
            CODEC.read({**fields, b"version": version})


def test_a_damaged_event_leaves_the_others_of_its_entry() -> None:
    good = CODEC.pack_one((7, "quote.A.XNAS", 0, Quote("A.XNAS", 1, 2, 3, 4, 5, 6)))
    bad = msgspec.msgpack.encode(["seven", "quote.A.XNAS"])
    entry = CODEC.read({**packed(Quote("A", 1, 2, 3, 4, 5, 6)), b"events": CODEC.join([bad, good])})
    assert [event.sequence for event in entry.events] == [7]
    assert entry.damaged[0][0] == bad


def test_every_message_type_has_a_stream_of_its_own() -> None:
    from nautilus.bus.edges.codec import stream_name

    assert len({stream_name("n", kind) for kind in MessageType}) == len(MessageType)
