"""Who is there: every instance says so every few seconds in the cache server, and hears who else does.

One hash holds a line for each instance, with the moment (by the server's clock) until which it counts as living. An
instance that ends says that it leaves; one that dies is missed when its line has run out. While the server is away
nobody is known to be there, and nobody is reported gone: not to know is no departure.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from nautilus.bus.edges.cache_server import ask
from nautilus.bus.edges.lease import elapsed_seconds
from nautilus.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis

MISSED_BEATS = 3
"""An instance that has not been heard of for this many intervals is gone."""
_LONGEST_REQUEST_SECONDS = 1.0
_MOST_INSTANCES = 1_000
_LARGEST_INFO_BYTES = 65_536

# A line is "living-until nonce description"; lines run out are kept for a while, so that everybody sees it.
_BEAT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me, nonce, ttl, info, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local before = redis.call('HGET', KEYS[1], me)
local lines, seen = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #lines, 2 do
  local living_until = tonumber(string.match(lines[i + 1], '^(%d+) ') or '0')
  if living_until + 10 * ttl < now then
    redis.call('HDEL', KEYS[1], lines[i])
  elseif lines[i] ~= me and #seen < most then
    seen[#seen + 1] = {lines[i + 1], living_until > now and 1 or 0}
  end
end
local has_room = before or redis.call('HLEN', KEYS[1]) < most
if has_room then
  redis.call('HSET', KEYS[1], me, string.format('%.0f', now + ttl) .. ' ' .. nonce .. ' ' .. info)
end
redis.call('PEXPIRE', KEYS[1], 20 * ttl)
return {before or '', seen, has_room and 1 or 0}
"""

_Name = Annotated[str, Meta(min_length=1, max_length=200)]


class InstanceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What an instance says of itself. `http` is "host:port" or "", `accounts` maps those it owns to its tokens.

    `market` says what its market data rests on ("live", "simulated", ... or "" without any), `description` which.
    """

    instance: _Name
    node: str
    version: str
    engines: tuple[str, ...] = ()
    started_ns: int = 0
    http: str = ""
    market: str = ""
    description: str = ""
    accounts: dict[str, int] = msgspec.field(default_factory=dict)
    process_id: int = 0
    leaving: bool = False


class PresenceChange(msgspec.Struct, frozen=True, kw_only=True):
    """Who has come and who has gone; one that was started again under its name is in both."""

    joined: tuple[InstanceInfo, ...]
    left: tuple[InstanceInfo, ...]


class PresenceReport(msgspec.Struct, frozen=True, kw_only=True):
    """Presence as this instance sees it; `seconds_since_answer` is None before the server's first."""

    instance: str
    peers: tuple[InstanceInfo, ...]
    interval_seconds: float
    seconds_since_answer: float | None
    undecodable: int
    problems: tuple[str, ...]


class _Peer:
    __slots__ = ("info", "seen")

    def __init__(self, info: InstanceInfo, seen: float) -> None:
        self.info = info
        self.seen = seen


class Presence:
    """Announces this instance and knows the others.

    `connection` is the caller's, to the cache server. `describe` is asked at every beat, on the loop; its `instance`
    must be unique among the living and stay the same. `on_change` is called on the loop and must be quick.
    """

    def __init__(
        self,
        connection: "Redis",
        describe: Callable[[], InstanceInfo],
        *,
        prefix: str = "nautilus",
        interval_seconds: float = 2.0,
        on_change: Callable[[PresenceChange], object] | None = None,
        monotonic: Callable[[], float] = elapsed_seconds,
    ) -> None:
        if not 0.02 <= interval_seconds <= 3600:
            raise Invalid("interval_seconds", f"must be 0.02 to 3600, not {interval_seconds}")
        self.interval_seconds = interval_seconds
        self.undecodable = 0
        self._connection = connection
        self._describe = describe
        self._key = f"{prefix}:instances"
        self._on_change = on_change
        self._monotonic = monotonic
        self._nonce = secrets.token_hex(8)
        self._peers: dict[str, _Peer] = {}
        self._answered: float | None = None
        self._patient_until = float("-inf")
        self._announced = False
        self._problem = ""
        self._refused = ""
        self._change_problem = ""
        self._task: asyncio.Task[None] | None = None

    @property
    def _ttl_seconds(self) -> float:
        return MISSED_BEATS * self.interval_seconds

    def peers(self) -> tuple[InstanceInfo, ...]:
        """The other instances known to be living, by name; none while the server does not answer."""
        if self._answered is None or self._monotonic() - self._answered > self._ttl_seconds:
            return ()
        return tuple(peer.info for _, peer in sorted(self._peers.items()))

    def problems(self) -> list[str]:
        """What is wrong: the server does not answer, or another process uses this one's name."""
        return [f"presence: {text}" for text in (self._problem, self._refused, self._change_problem) if text]

    def report(self) -> PresenceReport:
        """How presence stands."""
        return PresenceReport(
            instance=self._describe().instance,
            peers=self.peers(),
            interval_seconds=self.interval_seconds,
            seconds_since_answer=None if self._answered is None else self._monotonic() - self._answered,
            undecodable=self.undecodable,
            problems=tuple(self.problems()),
        )

    def start(self) -> None:
        """Announce from now on, until `stop`; a second call does nothing."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep(), name="presence")

    async def stop(self) -> None:
        """Say that this instance leaves, and end; a second call does nothing."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if self._announced:
            try:
                await self._ask(msgspec.structs.replace(self._describe(), leaving=True))
            except Unavailable as error:
                self._problem = str(error)
        self._peers.clear()
        self._answered = None

    async def beat(self) -> None:
        """Announce once and hear the others; raises Unavailable when the server does not answer."""
        info = self._describe()
        try:
            before, lines, has_room = await self._ask(info)
        except Unavailable as error:
            self._problem = str(error)
            raise
        now = self._monotonic()
        if self._problem or self._answered is None:  # it was away: give the others time to announce themselves again
            self._patient_until = now + self._ttl_seconds
        self._problem = ""
        self._answered = now
        writer = bytes(before).split(b" ", 2)[1:2]
        if not has_room:
            self._refused = f"there are {_MOST_INSTANCES} instances already"
        elif self._announced and writer and writer[0] != self._nonce.encode():  # written since our last beat
            self._refused = f"another process calls itself {info.instance!r} too"
        else:
            self._refused = ""
        self._announced = bool(has_room)
        self._hear(lines, now)

    async def _keep(self) -> None:
        while True:
            try:
                await self.beat()
            except Unavailable:
                pass  # noted among the problems
            except Exception as error:  # noqa: BLE001 - `describe` is the caller's, and the next beat asks it again
                self._problem = f"{type(error).__name__}: {error}"
            await asyncio.sleep(self.interval_seconds)

    async def _ask(self, info: InstanceInfo) -> tuple[bytes, list[Any], int]:
        packed = msgspec.json.encode(info)
        if len(packed) > _LARGEST_INFO_BYTES:
            raise Invalid("describe", f"gives {len(packed)} bytes, more than {_LARGEST_INFO_BYTES}")
        ttl_ms = round(self._ttl_seconds * 1000)
        arguments = (info.instance, self._nonce, ttl_ms, packed, _MOST_INSTANCES)
        request: Any = self._connection.eval(_BEAT, 1, self._key, *arguments)
        answer: tuple[bytes, list[Any], int] = await ask(request, min(_LONGEST_REQUEST_SECONDS, self._ttl_seconds / 2))
        return answer

    def _hear(self, lines: list[Any], now: float) -> None:
        joined: list[InstanceInfo] = []
        left: list[InstanceInfo] = []
        for line, is_living in lines:
            info = self._read(line)
            if info is None:
                continue
            known = self._peers.get(info.instance)
            if info.leaving or (not is_living and now >= self._patient_until):
                if known is not None:
                    left.append(self._peers.pop(info.instance).info)
            elif is_living:
                if known is None:
                    joined.append(info)
                elif known.info.started_ns != info.started_ns or known.info.process_id != info.process_id:
                    left.append(known.info)
                    joined.append(info)
                self._peers[info.instance] = _Peer(info, now)
        for name, peer in tuple(self._peers.items()):  # whose line is not there any more: the server has lost its data
            if now - peer.seen > self._ttl_seconds and now >= self._patient_until:
                left.append(self._peers.pop(name).info)
        if joined or left:
            self._changed(PresenceChange(joined=tuple(joined), left=tuple(left)))

    def _read(self, line: bytes) -> InstanceInfo | None:
        try:
            return msgspec.json.decode(bytes(line).split(b" ", 2)[2], type=InstanceInfo)
        except (IndexError, msgspec.DecodeError):
            self.undecodable += 1
            return None

    def _changed(self, change: PresenceChange) -> None:
        if self._on_change is None:
            return
        try:
            self._on_change(change)
        except Exception as error:  # noqa: BLE001 - who listens must not end the announcing
            self._change_problem = f"on_change failed: {type(error).__name__}: {error}"
        else:
            self._change_problem = ""
