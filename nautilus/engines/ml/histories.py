"""Every instrument's history; full blocks are kept in the store's state, the latest rows travel with the snapshot.

Rows of different sources, such as a live feed and a simulated market, are never mixed: only those of the present source
count. Rows of a replay are not kept over a restart, since the replay can give them again.
"""

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from nautilus.engines.ml.history import Block, Floats, History, Rows
from nautilus.model.enums import Quality

if TYPE_CHECKING:
    from nautilus.engines.context import MarketSource
    from nautilus.store.base import State

_NAMESPACE = "ml-history"
TAIL_BYTES = 2 * 1024 * 1024
"""The most that blocks that are not full may add to a snapshot: it is taken on the loop, in a millisecond or two."""


class KeptBlock(msgspec.Struct, frozen=True, kw_only=True):
    """A block as bytes: little-endian int64 times and float64 values, row by row."""

    instrument_id: str
    names: tuple[str, ...]
    number: int
    segment: int
    source: str
    times: bytes
    values: bytes

    @classmethod
    def of(cls, instrument_id: str, names: tuple[str, ...], block: Block) -> "KeptBlock":
        """The rows that a block has now."""
        return cls(
            instrument_id=instrument_id,
            names=names,
            number=block.number,
            segment=block.segment,
            source=block.source,
            times=block.times[: block.count].astype("<i8", copy=False).tobytes(),
            values=block.values[: block.count].astype("<f8", copy=False).tobytes(),
        )

    def block(self) -> Block:
        """The block again, its arrays read-only views of these bytes."""
        times = np.frombuffer(self.times, "<i8")
        values = np.frombuffer(self.values, "<f8").reshape(len(times), 1 + len(self.names))
        return Block(self.number, self.segment, self.source, times, values, len(times))


class Histories:
    """Histories by instrument. Of all blocks the latest `kept_bytes` are kept over a restart."""

    def __init__(self, state: "State", source: "MarketSource", limit: int, kept_bytes: int) -> None:
        self.left_out = 0
        """Unfinished blocks that the latest snapshot had no room for."""
        self._state = state
        self._source = source
        self._description = source.description
        self._limit = limit
        self._kept_bytes = kept_bytes
        self._histories: dict[str, History] = {}
        self._sizes: dict[str, int] = {}
        self._size = 0

    def open(self) -> None:
        """Take back the blocks that earlier runs have kept; in one that goes on, note that rows are missing."""
        if self._histories:
            self._pause()
            return
        items = self._state.items(_NAMESPACE)  # of each instrument in the order of their numbers
        found = [(key, len(data), msgspec.msgpack.decode(data, type=KeptBlock)) for key, data in items]
        for key, size, _ in sorted(found, key=lambda item: int(np.frombuffer(item[2].times, "<i8")[-1])):
            self._note(key, size)
        self._make_room()
        for key, _, kept in found:
            if key in self._sizes:
                self._take_back(kept)

    def append(self, instrument_id: str, names: tuple[str, ...], time_ns: int, price: float, values: Floats) -> None:
        """Add a row; with other names than before the instrument begins anew."""
        if self._source.description != self._description:
            self._pause()
            self._description = self._source.description
        history = self._histories.get(instrument_id)
        if history is None or history.names != names:
            history = self._begin(instrument_id, names, history)
        oldest = history.oldest
        full = history.append(time_ns, price, values, self._description)
        if full is not None:
            self._keep(KeptBlock.of(instrument_id, names, full))
        for number in range(oldest, history.oldest):
            self._forget(_key(instrument_id, number))

    def counts(self) -> dict[str, int]:
        """Rows of the present source by instrument."""
        source = self._source.description
        return {name: history.count(source) for name, history in sorted(self._histories.items())}

    def rows(self, wanted: "list[str] | None") -> list[Rows]:
        """The rows of the present source, of the instruments named or of all, as they are now."""
        source, items = self._source.description, sorted(self._histories.items())
        return [history.rows(source) for name, history in items if wanted is None or name in wanted]

    def unfinished(self) -> list[KeptBlock]:
        """Blocks that are not full and so not kept yet, as many as a snapshot has room for."""
        found: list[KeptBlock] = []
        room, self.left_out = TAIL_BYTES, 0
        if not self._is_kept:
            return []
        for name, history in self._histories.items():
            block = history.unfinished()
            if block is None:
                continue
            room -= block.count * (block.times.itemsize + block.values[0].nbytes)
            if room < 0:
                self.left_out += 1
            else:
                found.append(KeptBlock.of(name, history.names, block))
        return found

    def take_back(self, blocks: list[KeptBlock]) -> None:
        """Add unfinished blocks of a snapshot, and keep them, where nothing newer has been kept since."""
        for kept in blocks:
            history = self._histories.get(kept.instrument_id)
            is_known = history is not None and bool(history.blocks) and history.blocks[-1].number >= kept.number
            if not is_known and kept.times:
                self._take_back(kept)
                self._keep(kept)

    @property
    def _is_kept(self) -> bool:
        return self._kept_bytes > 0 and self._source.quality is not Quality.REPLAYED

    def _pause(self) -> None:
        """Keep what has not filled a block; what comes in later is apart from it."""
        for name, history in self._histories.items():
            block = history.unfinished()
            if block is not None:
                self._keep(KeptBlock.of(name, history.names, block))
            history.pause()

    def _begin(self, instrument_id: str, names: tuple[str, ...], earlier: History | None) -> History:
        first = segment = 0
        if earlier is not None:
            for block in earlier.blocks:
                self._forget(_key(instrument_id, block.number))
            first, segment = earlier.blocks[-1].number + 1, earlier.blocks[-1].segment + 1
        history = self._histories[instrument_id] = History(names, self._limit, first, segment)
        return history

    def _take_back(self, kept: KeptBlock) -> None:
        history = self._histories.get(kept.instrument_id)
        if history is None or history.names != kept.names:
            history = self._begin(kept.instrument_id, kept.names, history)
        oldest = history.oldest if history.blocks else kept.number
        history.take_back(kept.block())
        for number in range(oldest, history.oldest):
            self._forget(_key(kept.instrument_id, number))

    def _keep(self, kept: KeptBlock) -> None:
        if not self._is_kept:
            return
        key, data = _key(kept.instrument_id, kept.number), msgspec.msgpack.encode(kept)
        self._state.put(_NAMESPACE, key, data)
        self._note(key, len(data))
        self._make_room()

    def _note(self, key: str, size: int) -> None:
        self._size += size - self._sizes.pop(key, 0)
        self._sizes[key] = size

    def _make_room(self) -> None:
        while self._size > self._kept_bytes:
            self._forget(next(iter(self._sizes)))

    def _forget(self, key: str) -> None:
        size = self._sizes.pop(key, None)
        if size is not None:
            self._size -= size
            self._state.delete(_NAMESPACE, key)


def _key(instrument_id: str, number: int) -> str:
    return f"{instrument_id}/{number:012d}"
