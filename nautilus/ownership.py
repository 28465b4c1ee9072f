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
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from nautilus.bus.edges.cache_server import ask
from nautilus.bus.edges.lease import Lease, LeaseReport
from nautilus.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from nautilus.store.base import State

_NAMESPACE = "ownership"
_ANSWER_SECONDS = 2.0


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
        self._watch: asyncio.Task[None] | None = None
        self._confirming: set[asyncio.Task[None]] = set()
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
            holder = lease.report().holder
            return f"the lease of account {account_id} is not held{f': {holder} holds it' if holder else ''}"
        if account_id in self._unconfirmed:
            return f"account {account_id} was just leased again: whether another traded it meanwhile is being asked"
        return None

    async def take(self) -> None:
        """Wait until every lease is held, in the order of their names, so that two nodes never wait for each other."""
        for lease in self.leases.values():
            lease.start()
            await lease.wait()

    async def begin(self, state: "State") -> None:
        """Enter this node as the owner of its accounts, once its store is open and before anything is traded.

        Raises Conflict where an account was traded from another store, or by an owner with a higher token, and
        Unavailable where the cache server does not answer.
        """
        known = state.get(_NAMESPACE, "token")
        token = self.token
        if known is not None and int(known) > token:
            raise Conflict(f"the store was last used by an owner with token {known.decode()}; this node has {token}")
        store = state.get(_NAMESPACE, "store")
        if store is None:
            store = secrets.token_hex(16).encode()
            state.put(_NAMESPACE, "store", store)
        state.put(_NAMESPACE, "token", str(token).encode())
        await state.flush()
        for account in self.leases:
            key = f"{self._prefix}:account_store:{account}"
            await self._ask("SET", key, store, "NX")
            kept = await self._ask("GET", key)
            if kept != store:
                raise Conflict(
                    f"account {account} is traded from another store than this node's. Owners of an account share one "
                    f"(PostgreSQL, or a directory); if that store is gone for good, delete the key {key}"
                )
            await self._ask("SET", self._last_owner(account), self.owner)
        self._traded = True
        self._unconfirmed.clear()
        self._watch = asyncio.get_running_loop().create_task(self._watch_others(), name="ownership")

    async def release(self) -> None:
        """Give every lease up, so that the next owner need not wait; a second call does nothing."""
        tasks = [task for task in (self._watch, *self._confirming) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._watch = None
        for lease in self.leases.values():
            await lease.stop()

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
        return [*(self._reasons() if self._traded else []), *asking]

    def _reasons(self) -> list[str]:
        return list(dict.fromkeys(filter(None, map(self.why_not_owner, self.leases))))

    # -- after a loss --------------------------------------------------------------------------------------------

    def _lost(self, account: str, _reason: str) -> None:
        self._unconfirmed.add(account)

    def _acquired(self, account: str, _token: int) -> None:
        """Leased again after a loss: nothing is traded until it is known that nobody else did."""
        if self._traded:
            task = asyncio.get_running_loop().create_task(self._confirm(account))
            self._confirming.add(task)
            task.add_done_callback(self._confirming.discard)

    async def _confirm(self, account: str) -> None:
        while not self._superseded:
            try:
                last = await self._ask("GET", self._last_owner(account))
                if last is None:  # the server has lost its data; the lease has settled that nobody else is alive
                    await self._ask("SET", self._last_owner(account), self.owner)
            except Unavailable:
                await asyncio.sleep(self._ttl / 10)
                continue
            if last is not None and last.decode() != self.owner:
                self._supersede(f"{last.decode()} traded account {account} while this node did not hold its lease")
            else:
                self._unconfirmed.discard(account)
            return

    async def _watch_others(self) -> None:
        """Notice an account that another holds, also while this node cannot lease it again."""
        while True:
            await asyncio.sleep(self._ttl / 3)
            for account, lease in self.leases.items():
                report = lease.report()
                if not report.held and report.holder and report.holder != self.owner:
                    self._supersede(f"{report.holder} has taken account {account} over (token {report.holder_token})")

    def _supersede(self, reason: str) -> None:
        if not self._superseded:
            self._superseded = f"superseded: {reason}"
            self._on_superseded(self._superseded)

    def _last_owner(self, account: str) -> str:
        return f"{self._prefix}:account_owner:{account}"

    async def _ask(self, *command: object) -> bytes | None:
        connection: Any = self._connection
        answer: object = await ask(connection.execute_command(*command), _ANSWER_SECONDS)
        return answer if isinstance(answer, bytes) else None
