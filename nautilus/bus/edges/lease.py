"""One owner at a time: a lease in the cache server, with a fencing token that grows with every change of owner.

The owner renews its lease every third of `ttl_seconds`. It knows by its own clock until when it may act: the moment
before it asked, plus the time to live, less a margin. That clock counts while the process is stopped and while the
machine sleeps, so an owner that was frozen or cut off knows without asking anybody that it may not act any more.

Between looking and acting there is always time in which a lease can end. So what an owner does carries its token, and
whoever obeys it refuses a token lower than one that it has seen: that, not the lease, makes two writers impossible.

A server that has lost its data (restarted empty, flushed, or the key evicted) does not know who owns what. For one
time to live nobody new gets the lease then, so that an owner it has forgotten has run out; that owner, still within
its time, gets its lease back with the token it had. The first use of a name waits in the same way.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from nautilus.bus.edges.cache_server import ask
from nautilus.errors import Conflict, Invalid, Unavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_LONGEST_NAME = 200
_LONGEST_REQUEST_SECONDS = 1.0

# One hash a name, without a time to live of its own, so that no policy of eviction that spares such keys can take it.
# Without an owner and a nonce it keeps the lease from everybody new while a server settles that has lost its data.
# The time of the server is part of the next token, so that one that went back to an older copy gives none out twice.
_ACQUIRE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local nonce, owner, ttl, floor, settle = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local last = redis.call('HMGET', KEYS[1], 'token', 'nonce', 'owner', 'until', 'ttl')
if not last[1] then
  last = {'0', '', '', tostring(settle > 0 and string.format('%.0f', now + settle) or 0)}
  redis.call('HSET', KEYS[1], 'token', last[1], 'nonce', last[2], 'owner', last[3], 'until', last[4])
end
local left = tonumber(last[4]) - now
if left > 0 and last[2] ~= nonce then
  local longest = math.max(ttl, settle, tonumber(last[5] or '0'))
  if left > longest then
    left = longest
    redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + left))
  end
  return {'0', last[3], last[1], left}
end
local token = string.format('%.0f', math.max(tonumber(last[1]) + 1, floor + 1, now))
redis.call('HSET', KEYS[1], 'token', token, 'nonce', nonce, 'owner', owner, 'until', string.format('%.0f', now + ttl),
  'ttl', ttl)
return {token, owner, token, ttl}
"""
_RENEW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local nonce, owner, ttl, token = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local last = redis.call('HMGET', KEYS[1], 'token', 'nonce', 'owner', 'until')
local forgotten = not last[1] or last[2] == ''
if not forgotten and not (last[1] == token and last[2] == nonce) then
  return {'0', last[3], last[1], math.max(0, tonumber(last[4]) - now)}
end
redis.call('HSET', KEYS[1], 'token', token, 'nonce', nonce, 'owner', owner, 'until', string.format('%.0f', now + ttl),
  'ttl', ttl)
return {token, owner, token, ttl}
"""
_RELEASE = """
if redis.call('HGET', KEYS[1], 'nonce') == ARGV[1] then redis.call('HSET', KEYS[1], 'until', '0') end
return {}
"""


def elapsed_seconds() -> float:
    """Seconds since some moment, counted also while this process is stopped and while the machine sleeps."""
    return time.clock_gettime(_CLOCK)


class LeaseReport(msgspec.Struct, frozen=True, kw_only=True):
    """A lease as its contender sees it. `holder` and `holder_token` are the owner last heard of, "" and 0 if none."""

    name: str
    owner: str
    held: bool
    token: int
    holder: str
    holder_token: int
    seconds_left: float
    takeovers: int
    losses: int
    problem: str


class Lease:
    """A contender for one name. Either call `acquire`, `renew` and `release`, or `start` and leave the rest to it.

    `connection` is the caller's, to the cache server. `owner` says who this is, to people: two leases are two
    contenders even under one owner. Every contender for a name must use the same `ttl_seconds`. `floor` is the highest
    token known from elsewhere, such as a journal: every token is above it, whatever the server still knows.
    `settle_seconds` is how long a server without data gives the lease to nobody new (default: the time to live); less
    is safe only where no earlier owner can be alive. `on_acquired(token)` and `on_lost(reason)` are called on the loop
    and must be quick; an `on_acquired` that raises gives the lease up again. `monotonic` gives seconds.
    """

    def __init__(
        self,
        connection: "Redis",
        name: str,
        owner: str,
        *,
        ttl_seconds: float = 10.0,
        safety_seconds: float | None = None,
        settle_seconds: float | None = None,
        prefix: str = "nautilus",
        floor: int = 0,
        on_acquired: Callable[[int], object] | None = None,
        on_lost: Callable[[str], object] | None = None,
        monotonic: Callable[[], float] = elapsed_seconds,
    ) -> None:
        safety = ttl_seconds / 10 if safety_seconds is None else safety_seconds
        _check(name, owner, ttl_seconds, safety, floor)
        self.name = name
        self.owner = owner
        self.ttl_seconds = ttl_seconds
        self.takeovers = 0
        self.losses = 0
        self._connection = connection
        self._safety = safety
        self._settle = ttl_seconds if settle_seconds is None else settle_seconds
        self._key = f"{prefix}:lease:{name}"
        self._floor = floor
        self._on_acquired = on_acquired
        self._on_lost = on_lost
        self._monotonic = monotonic
        self._nonce = secrets.token_hex(8)
        self._token = 0
        self._deadline = float("-inf")
        self._owns = False
        self._in_doubt = False
        self._holder = ("", 0)
        self._free_in = 0.0
        self._problem = ""
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    @property
    def is_held(self) -> bool:
        """Whether this contender may act now, by its own clock; asks nobody."""
        return self._owns and self._monotonic() < self._deadline

    @property
    def token(self) -> int:
        """The fencing token of the lease that is held; 0 when none is."""
        return self._token if self.is_held else 0

    @property
    def highest_token(self) -> int:
        """The highest token ever seen here, one's own or another's: the `floor` of a later contender."""
        return max(self._floor, self._token)

    def require(self) -> int:
        """The token to act with; raises Conflict, naming the owner, when the lease is not held."""
        if token := self.token:
            return token
        holder, holder_token = self._holder
        owned = f"{holder} owns it (token {holder_token})" if holder else "no owner is known"
        raise Conflict(f"{self.owner} does not own {self.name}: {self._problem or owned}")

    def report(self) -> LeaseReport:
        """How the lease stands."""
        held = self.is_held
        holder, holder_token = (self.owner, self._token) if held else self._holder
        return LeaseReport(
            name=self.name,
            owner=self.owner,
            held=held,
            token=self._token if held else 0,
            holder=holder,
            holder_token=holder_token,
            seconds_left=max(0.0, self._deadline - self._monotonic()) if held else 0.0,
            takeovers=self.takeovers,
            losses=self.losses,
            problem=self._problem,
        )

    def problems(self) -> list[str]:
        """What keeps this contender from asking the server; standing by is no problem."""
        return [f"lease {self.name}: {self._problem}"] if self._problem else []

    # -- single steps --------------------------------------------------------------------------------------------

    async def acquire(self) -> bool:
        """Try once to become the owner, with a new token; raises Unavailable when the server does not answer.

        One that owns it already gets a new token too: keeping it is `renew`.
        """
        asked = self._monotonic()
        self._in_doubt = True
        floor, settle_ms = self.highest_token, round(self._settle * 1000)
        answer = await self._ask(_ACQUIRE, self._nonce, self.owner, self._milliseconds, floor, settle_ms)
        self._in_doubt = False
        return self._take(answer, asked, is_new=True)

    async def renew(self) -> bool:
        """Keep what is held for another time to live, counted from now; False (and it is lost) if another has it.

        Raises Unavailable when the server does not answer; the lease is then held until its time is over.
        """
        if not self.is_held:
            self._lose(f"not renewed in time{': ' if self._problem else ''}{self._problem}")
            return False
        asked = self._monotonic()
        answer = await self._ask(_RENEW, self._nonce, self.owner, self._milliseconds, self._token)
        return self._take(answer, asked, is_new=False)

    async def release(self) -> None:
        """Give it up, so that the next can have it at once; without an answer from the server it runs out there."""
        if not self._owns and not self._in_doubt:
            return
        self._lose("released")
        self._in_doubt = False
        try:
            await self._ask(_RELEASE, self._nonce)
        except Unavailable as error:
            self._problem = str(error)

    # -- keeping -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Acquire it when it is free, keep it, and stand by again after losing it, until `stop`."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep(), name=f"lease {self.name}")

    async def stop(self) -> None:
        """End and give up what is held; a second call does nothing."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self.release()

    async def wait(self) -> int:
        """The token, once the lease is held (by `start`)."""
        while not self.is_held:
            self._changed.clear()
            await self._changed.wait()
        return self._token

    async def _keep(self) -> None:
        while True:
            try:
                if self._owns:
                    await self.renew()
                else:
                    await self.acquire()
            except Unavailable as error:
                self._problem = str(error)
                if self._owns and not self.is_held:
                    self._lose(f"not renewed in time: {error}")
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        third = self.ttl_seconds / 3
        if not self._owns:  # as soon as it is free, or else to see who has it
            return min(third, self._free_in + 0.001) if self._free_in > 0 else third
        left = max(0.0, self._deadline - self._monotonic())
        return min(third / 3, left) if self._problem else min(third, left)

    # -- what the server says ------------------------------------------------------------------------------------

    @property
    def _milliseconds(self) -> int:
        return round(self.ttl_seconds * 1000)

    async def _ask(self, script: str, *arguments: str | int) -> list[Any]:
        seconds = min(_LONGEST_REQUEST_SECONDS, self.ttl_seconds / 3)
        if self._owns:  # not a moment longer than it is ours, so that its end is noticed when it comes
            seconds = max(0.001, min(seconds, self._deadline - self._monotonic()))
        command: Any = self._connection.eval(script, 1, self._key, *arguments)
        answer: list[Any] = await ask(command, seconds)
        self._problem = ""
        return answer

    def _take(self, answer: list[Any], asked: float, *, is_new: bool) -> bool:
        token = int(answer[0])
        if not token:
            self._holder = (_text(answer[1]), int(answer[2]))
            self._floor = max(self._floor, self._holder[1])
            self._lose(f"{self._holder[0] or 'another'} has taken it")
            self._free_in = int(answer[3]) / 1000
            return False
        self._token = token
        self._deadline = asked + self.ttl_seconds - self._safety
        self._owns = True
        if not self.is_held:  # the answer was under way for longer than the lease lasts
            self._lose("the server's answer came too late")
            return False
        return self._announce() if is_new else True

    def _announce(self) -> bool:
        self.takeovers += 1
        self._changed.set()
        if self._on_acquired is not None:
            try:
                self._on_acquired(self._token)
            except Exception as error:  # noqa: BLE001 - whatever it is, an owner that cannot act must not own
                self._lose(f"its owner failed: {type(error).__name__}: {error}")
                self._problem = f"on_acquired failed: {type(error).__name__}: {error}"
                return False
        return True

    def _lose(self, reason: str) -> None:
        if not self._owns:
            return
        self._owns = False
        self._deadline = float("-inf")
        if self._holder[1] <= self._token:
            self._holder = ("", self._token)
        self._free_in = 0.0
        self.losses += 1
        if self._on_lost is not None:
            try:
                self._on_lost(reason)
            except Exception as error:  # noqa: BLE001 - whatever it is, the lease is lost
                self._problem = f"on_lost failed: {type(error).__name__}: {error}"


def _text(raw: object) -> str:
    return raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)


def _check(name: str, owner: str, ttl_seconds: float, safety_seconds: float, floor: int) -> None:
    if not name or len(name) > _LONGEST_NAME or any(character.isspace() for character in name):
        raise Invalid("name", f"must be 1 to {_LONGEST_NAME} characters without spaces, not {name!r}")
    if not owner or len(owner) > _LONGEST_NAME or "\n" in owner:
        raise Invalid("owner", f"must be one line of 1 to {_LONGEST_NAME} characters, not {owner!r}")
    if not 0.1 <= ttl_seconds <= 3600:
        raise Invalid("ttl_seconds", f"must be 0.1 to 3600, not {ttl_seconds}")
    if not 0 < safety_seconds <= ttl_seconds / 2:
        raise Invalid("safety_seconds", f"must be above 0 and at most half of ttl_seconds, not {safety_seconds}")
    if not 0 <= floor < 2**53:
        raise Invalid("floor", f"must be 0 to 2**53, not {floor}")
