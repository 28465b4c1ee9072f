"""What TWS says of its own connections: a pure state machine from notice codes to what is to be done about them.

1100 and 2110 say that TWS has lost IBKR's servers; 1101 that they are back and every subscription is gone, 1102 that
they are back and every subscription has held. 2103 to 2108, 2119, 2157 and 2158 speak of single farms. Notices come in
any order and more than once. Only 1101 asks for everything anew: the others make a subscription suspect, or let its
own watchdog decide, so that a farm that blinks does not tear down what still flows.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

FARMS_KEPT = 64


class Channel(StrEnum):
    """What a farm serves."""

    MARKET = "market data"
    HISTORY = "historical data"
    DEFINITIONS = "security definitions"


class FarmState(StrEnum):
    """How a farm is; an inactive one wakes up on demand."""

    OK = "ok"
    BROKEN = "broken"
    INACTIVE = "inactive"
    CONNECTING = "connecting"


class Action(StrEnum):
    """What a notice asks for: nothing, doubt, a closer watch, everything anew, or another connection."""

    NONE = "none"
    SUSPECT = "suspect"
    WATCH = "watch"
    RESUBSCRIBE = "resubscribe"
    RECONNECT = "reconnect"


class Decision(msgspec.Struct, frozen=True):
    """An action, and the channels that it is about."""

    action: Action
    channels: frozenset[Channel] = frozenset()


NOTHING = Decision(Action.NONE)
EVERYTHING = frozenset(Channel)
SERVERS_LOST = frozenset({1100, 2110})
DATA_LOST, DATA_KEPT, PORT_MOVED = 1101, 1102, 1300
FARM_CODES = {
    2103: (Channel.MARKET, FarmState.BROKEN),
    2104: (Channel.MARKET, FarmState.OK),
    2105: (Channel.HISTORY, FarmState.BROKEN),
    2106: (Channel.HISTORY, FarmState.OK),
    2107: (Channel.HISTORY, FarmState.INACTIVE),
    2108: (Channel.MARKET, FarmState.INACTIVE),
    2119: (Channel.MARKET, FarmState.CONNECTING),
    2157: (Channel.DEFINITIONS, FarmState.BROKEN),
    2158: (Channel.DEFINITIONS, FarmState.OK),
}
CODES = frozenset({*SERVERS_LOST, DATA_LOST, DATA_KEPT, PORT_MOVED, *FARM_CODES})


class Farm(msgspec.Struct):
    """A farm as last told: `since_ns` is when it came into this state."""

    name: str
    channel: Channel
    state: FarmState
    since_ns: int


class Connectivity:
    """What is known of TWS's connections on one line; a new line begins with a new one.

    `hold_ns` is for how long a broken farm, or lost servers, put off the renewal of what has gone silent: renewing is
    in vain then, but a notice that never comes must not leave anything blind.

    >>> state = Connectivity(120)
    >>> state.notice(2103, "Market data farm connection is broken:usfarm", 0).action
    <Action.SUSPECT: 'suspect'>
    >>> state.notice(2104, "Market data farm connection is OK:usfarm", 5).action, state.holds(Channel.MARKET, 6)
    (<Action.WATCH: 'watch'>, False)
    """

    __slots__ = ("_farms", "_hold_ns", "servers_lost_ns")

    def __init__(self, hold_ns: int) -> None:
        self._hold_ns = hold_ns
        self._farms: dict[tuple[Channel, str], Farm] = {}
        self.servers_lost_ns: int | None = None
        """Since when TWS has had no connection to its servers; None while it has one."""

    def notice(self, code: int, text: str, now_ns: int) -> Decision:
        """Take in a notice; any other code changes nothing."""
        if code in SERVERS_LOST:
            if self.servers_lost_ns is not None:
                return NOTHING
            self.servers_lost_ns = now_ns
            return Decision(Action.SUSPECT, EVERYTHING)
        if code == DATA_LOST:
            self.servers_lost_ns = None
            return Decision(Action.RESUBSCRIBE, EVERYTHING)
        if code == DATA_KEPT:
            was_lost, self.servers_lost_ns = self.servers_lost_ns is not None, None
            return Decision(Action.WATCH, EVERYTHING) if was_lost else NOTHING
        if code == PORT_MOVED:
            return Decision(Action.RECONNECT, EVERYTHING)
        if code in FARM_CODES:
            return self._farm_notice(*FARM_CODES[code], text.rpartition(":")[2].strip()[:32], now_ns)
        return NOTHING

    def holds(self, channel: Channel, now_ns: int) -> bool:
        """Whether renewing a subscription of this channel would be in vain now."""
        if self.servers_lost_ns is not None and now_ns - self.servers_lost_ns < self._hold_ns:
            return True
        return any(
            farm.channel is channel and farm.state is FarmState.BROKEN and now_ns - farm.since_ns < self._hold_ns
            for farm in self._farms.values()
        )

    def farms(self) -> list[Farm]:
        """Every farm that was named, as it is now."""
        return list(self._farms.values())

    def broken(self, channels: frozenset[Channel] = EVERYTHING) -> list[str]:
        """Names of the broken farms of some channels."""
        return [
            farm.name for farm in self._farms.values() if farm.state is FarmState.BROKEN and farm.channel in channels
        ]

    def _farm_notice(self, channel: Channel, state: FarmState, name: str, now_ns: int) -> Decision:
        farm = self._farms.get((channel, name))
        was_broken = farm is not None and farm.state is FarmState.BROKEN
        if state is FarmState.CONNECTING and was_broken:
            return NOTHING  # on its way, but not there yet
        if farm is None and len(self._farms) >= FARMS_KEPT:
            return NOTHING
        if farm is None or farm.state is not state:
            self._farms[channel, name] = Farm(name, channel, state, now_ns)
        if state is FarmState.BROKEN:
            return NOTHING if was_broken else Decision(Action.SUSPECT, frozenset({channel}))
        return Decision(Action.WATCH, frozenset({channel})) if was_broken else NOTHING
