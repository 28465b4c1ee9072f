"""One process trades an account: a node holds the leases of its accounts, or stands by until it does.

Who holds a lease may still be wrong about it for a moment: so the gate asks here before every order, and what was
cleared is asked again when it reaches the venue. A node that was cut off or frozen goes on only where nobody traded its
accounts meanwhile; otherwise it has been superseded: its books are old, and it must stop.

Owners of one account share one store, by PostgreSQL or by a directory. A node with another store does not know what
was traded before and is refused.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from nautilus.bus.edges.cache_server import ask
from nautilus.bus.edges.lease import Lease, LeaseReport
from nautilus.errors import Conflict, StoreError, Unavailable
from nautilus.store.postgres.errors import Fenced

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from nautilus.store.base import State

_NAMESPACE = "ownership"
_ANSWER_SECONDS = 2.0

# Who enters must have the lease at that very moment: one that was stopped between looking and writing has not.
_ENTER = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return {'moved', ''} end
local store, last = redis.call('GET', KEYS[2]), redis.call('GET', KEYS[3])
if store and store ~= ARGV[2] then return {'store', store} end
if ARGV[4] == 'again' and last and last ~= ARGV[3] then return {'owner', last} end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('SET', KEYS[3], ARGV[3])
return {'entered', ''}
"""


class OwnershipConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Accounts that several nodes may trade, one at a time."""

    accounts: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^\S+$")], ...],
        Meta(
            description="Accounts this node trades, once it holds the lease of each; until then it stands by. "
            "None: this node is the only one and needs no lease."
        ),
    ] = ()
    lease_seconds: Annotated[
        float, Meta(ge=1, le=300, description="How long after an owner's death its accounts stay locked.")
    ] = 10.0


class OwnershipReport(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this node may trade, and each lease."""

    owner: str
    trading: bool
    reason: str
    leases: list[LeaseReport]


class Ownership:
    """The leases of a node's accounts. `on_superseded(reason)` is called once, when another node has taken over."""

    def __init__(
        self,
        config: OwnershipConfig,
        connection: "Redis",
        *,
        owner: str,
        prefix: str,
        on_superseded: Callable[[str], object],
    ) -> None:
        self.owner = owner
        self._connection = connection
        self._prefix = prefix
        self._on_superseded = on_superseded
        self._ttl = config.lease_seconds
        self._unconfirmed = set(config.accounts)
        self._superseded = ""
        self._problem = ""
        self._state: State | None = None
        self._store_id = b""
        self._watch: asyncio.Task[None] | None = None
        self._confirming: dict[str, asyncio.Task[None]] = {}
        self._traded = False
        self.leases = {
            account: Lease(
                connection,
                f"account:{account}",
                owner,
                ttl_seconds=config.lease_seconds,
                prefix=prefix,
                on_acquired=partial(self._acquired, account),
                on_lost=partial(self._lost, account),
            )
            for account in sorted(config.accounts)
        }

    @property
    def token(self) -> int:
        """The highest fencing token held; 0 when none is."""
        return max((lease.token for lease in self.leases.values()), default=0)

    def why_not_owner(self, account_id: str) -> str | None:
        """Why this node may not trade the account now, or None where it may. Asks nobody; microseconds."""
        lease = self.leases.get(account_id)
        if lease is None:
            return f"account {account_id} is not among those of this node (ownership.accounts)"
        if self._superseded:
            return self._superseded
        if not lease.is_held:
            report = lease.report()
            why = f"{report.holder} holds it" if report.holder else report.problem
            return f"the lease of account {account_id} is not held{f': {why}' if why else ''}"
        if account_id in self._unconfirmed:
            return f"account {account_id} was just leased again: whether another traded it meanwhile is being asked"
        return None

    def waits_for(self) -> str:
        """The first account whose lease is not held, and why; nothing where all are."""
        for account, lease in self.leases.items():
            report = lease.report()
            if report.held:
                continue
            if report.problem:
                return f"account {account} cannot be leased: {report.problem}"
            if report.holder:
                return f"account {account} is owned by {report.holder}"
            unknown = "the cache server makes sure that no owner is alive whom it does not know"
            return f"account {account} is not free yet: for up to {self._ttl:g} s {unknown}"
        return ""

    async def take(self) -> int:
        """Wait until every lease is held, and return the token to open the store with; at once where they are.

        They are taken in the order of their names, and none is held while an earlier one is missing: so two nodes never
        wait for each other.
        """
        leases = list(self.leases.values())
        while True:
            for place, lease in enumerate(leases):
                if not lease.is_held:
                    for later in leases[place + 1 :]:
                        await later.stop()
                lease.start()
                await lease.wait()
            if all(lease.is_held for lease in leases):
                return self.token

    async def begin(self, state: "State") -> None:
        """Enter this node as the owner of its accounts, once its store is open and before anything is traded.

        Waits for a cache server that is away. Raises Conflict where an account was traded from another store, by an
        owner with a higher token, or by another node since the leases were taken.
        """
        known, token = state.get(_NAMESPACE, "token"), await self._held()
        if known is not None and int(known) > token:
            raise Conflict(f"the store was last used by an owner with token {known.decode()}; this node has {token}")
        store = state.get(_NAMESPACE, "store")
        if store is None:
            store = secrets.token_hex(16).encode()
            state.put(_NAMESPACE, "store", store)
        self._state, self._store_id = state, store
        self._watch = asyncio.get_running_loop().create_task(self._watch_others(), name="ownership")
        for account in self.leases:
            await self._confirm(account, is_first=True)
        self._traded = True
        for account in tuple(self._unconfirmed):  # lost again while the others were entered
            self._ask_again(account)

    async def release(self) -> None:
        """Give every lease up, so that the next owner need not wait; a second call does nothing."""
        tasks = [task for task in (self._watch, *self._confirming.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._watch = None
        await asyncio.gather(*(lease.stop() for lease in self.leases.values()))

    def report(self) -> OwnershipReport:
        """How the leases stand."""
        reasons = self._reasons()
        return OwnershipReport(
            owner=self.owner,
            trading=not reasons,
            reason="; ".join(reasons),
            leases=[lease.report() for lease in self.leases.values()],
        )

    def problems(self) -> list[str]:
        """What keeps the node from trading, and what keeps it from asking."""
        asking = [problem for lease in self.leases.values() for problem in lease.problems()]
        own = [f"ownership: {self._problem}"] if self._problem else []
        return [*(self._reasons() if self._traded else []), *own, *asking]

    def _reasons(self) -> list[str]:
        return list(dict.fromkeys(filter(None, map(self.why_not_owner, self.leases))))

    # -- entering ------------------------------------------------------------------------------------------------

    async def _held(self) -> int:
        """The token, once every lease is held; raises Conflict where another node has taken one meanwhile."""
        while not all(lease.is_held for lease in self.leases.values()):
            self._look()
            self._require()
            await asyncio.sleep(self._ttl / 10)
        return self.token

    async def _confirm(self, account: str, *, is_first: bool = False) -> None:
        """Return once the store and the cache server know that this node owns the account under the lease it holds.

        Raises Conflict where another has traded it meanwhile.
        """
        lease = self.leases[account]
        while True:
            self._require()
            token = lease.token
            try:
                if token and await self._enter(account, token, is_first=is_first) and lease.token == token:
                    self._unconfirmed.discard(account)
                    self._problem = ""
                    return
            except Unavailable as error:
                self._problem = str(error)
            await asyncio.sleep(self._ttl / 10)

    async def _enter(self, account: str, token: int, *, is_first: bool) -> bool:
        """Write the token to the store, which refuses it where a newer owner has it, then ourselves to the server.

        False where the lease is another's by now. A server that has lost its data knows nobody, and then the store's
        answer is the only one.
        """
        assert self._state is not None
        known = self._state.get(_NAMESPACE, "token")
        try:
            self._state.put(_NAMESPACE, "token", str(max(token, int(known or 0))).encode())
            await self._state.flush()
        except Fenced as error:
            self._supersede(str(error))
            self._require()
        verdict, who = await self._register(account, token, "first" if is_first else "again")
        if verdict == "store" and is_first:
            raise Conflict(
                f"account {account} is traded from another store than this node's. Owners of an account share one "
                f"(PostgreSQL, or a directory); if that store is gone for good, delete the key {self._key(account)}"
            )
        self._judge(account, verdict, who)
        return verdict == "entered"

    async def _register(self, account: str, token: int, how: str) -> tuple[str, str]:
        lease_key = f"{self._prefix}:lease:{self.leases[account].name}"
        keys = (lease_key, self._key(account), f"{self._prefix}:account_owner:{account}")
        request: Any = self._connection.eval(_ENTER, len(keys), *keys, str(token), self._store_id, self.owner, how)
        verdict, who = await ask(request, _ANSWER_SECONDS)
        return verdict.decode(), who.decode()

    def _judge(self, account: str, verdict: str, who: str) -> None:
        if verdict == "owner":
            self._supersede(f"{who} traded account {account} while this node did not hold its lease")
        elif verdict == "store":
            self._supersede(f"account {account} is traded from another store by now ({who})")

    def _require(self) -> None:
        if self._superseded:
            raise Conflict(self._superseded)

    def _key(self, account: str) -> str:
        return f"{self._prefix}:account_store:{account}"

    # -- after a loss --------------------------------------------------------------------------------------------

    def _lost(self, account: str, _reason: str) -> None:
        self._unconfirmed.add(account)

    def _acquired(self, account: str, _token: int) -> None:
        """Leased again after a loss: nothing is traded until it is known that nobody else did."""
        if self._traded:
            self._ask_again(account)

    def _ask_again(self, account: str) -> None:
        if account not in self._confirming and not self._superseded:
            task = asyncio.get_running_loop().create_task(self._confirm_again(account), name=f"confirm {account}")
            self._confirming[account] = task
            task.add_done_callback(lambda _: self._confirming.pop(account, None))

    async def _confirm_again(self, account: str) -> None:
        while account in self._unconfirmed and not self._superseded:
            try:
                await self._confirm(account)
            except Conflict:
                return  # superseded, which has been told
            except StoreError as error:  # it may take the token later, and nothing is traded before
                self._problem = str(error)
                await asyncio.sleep(self._ttl / 3)

    async def _watch_others(self) -> None:
        """Notice an account that another holds, also while this node cannot lease it again.

        And what a server has lost that says which store an account is traded from, it is told again.
        """
        while not self._superseded:
            await asyncio.sleep(self._ttl / 3)
            self._look()
            for account, lease in self.leases.items():
                if (token := lease.token) and account not in self._unconfirmed and not self._superseded:
                    with suppress(Unavailable):  # the lease says so among the problems
                        self._judge(account, *await self._register(account, token, "again"))

    def _look(self) -> None:
        for account, lease in self.leases.items():
            report = lease.report()
            if not report.held and report.holder and report.holder != self.owner:
                self._supersede(f"{report.holder} has taken account {account} over (token {report.holder_token})")

    def _supersede(self, reason: str) -> None:
        if not self._superseded:
            self._superseded = f"superseded: {reason}"
            self._on_superseded(self._superseded)
