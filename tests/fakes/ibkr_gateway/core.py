"""The server under every part of the gateway: listening, connections, handshake, records of requests, and waiting."""

import asyncio
import re
import socket
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from tests.fakes.ibkr_gateway.codes import text_of
from tests.fakes.ibkr_gateway.instruments import Instrument, WireContract, usual
from tests.fakes.ibkr_gateway.parsing import parse
from tests.fakes.ibkr_gateway.requests import Request, StartApi
from tests.fakes.ibkr_gateway.session import Session, Subscription
from tests.fakes.ibkr_gateway.wire import Field

SERVER_VERSION = 178
MOST_RECORDED = 100_000
VERSIONS = re.compile(r"v(\d+)(?:\.\.(\d+))?")


class Core:
    """Connections and requests, without a market behind them."""

    def __init__(
        self,
        *,
        accounts: tuple[str, ...] = ("DU1234567",),
        next_order_id: int = 1,
        server_version: int = SERVER_VERSION,
        notices: tuple[int, ...] = (2104, 2106, 2158),
        now: Callable[[], float] = time.time,
    ) -> None:
        self.accounts = accounts
        self.next_order_id = next_order_id
        self.server_version = server_version
        self.notices = notices
        self.now = now
        self.port = 0
        self.ready = True
        self.silent = False
        self.delay = 0.0
        self.in_packet = False
        self.connections = 0
        self.swallowed = 0
        self.requests: deque[Request] = deque(maxlen=MOST_RECORDED)
        self.instruments: dict[int, Instrument] = {each.con_id: each for each in usual()}
        self.occupied_ids: set[int] = set()
        self.outages: set[str] = set()
        self._failures: dict[type[Request], deque[tuple[int, str]]] = defaultdict(deque)
        self._sessions: set[Session] = set()
        self._server: asyncio.Server | None = None
        self._reserved: socket.socket | None = None
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        if self._reserved is not None:
            self._reserved.close()
        await self.until(lambda: not self._sessions, 5.0, "the connections did not end")

    async def accept(self) -> None:
        """Listen, on the same port as before if there was one."""
        assert self._server is None, "it listens already"
        listener = self._reserved or self._bind()
        self._reserved = None
        self._server = await asyncio.get_running_loop().create_server(lambda: Session(self), sock=listener)

    def refuse(self) -> None:
        """End every connection and refuse new ones; the port stays reserved."""
        if self._server is not None:
            self._server.close()
            self._server = None
            # bound and not listening: connections are refused, and nobody else can take the port
            self._reserved = self._bind()
        for session in list(self._sessions):
            session.close()

    def _bind(self) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind(("127.0.0.1", self.port))
        self.port = bound.getsockname()[1]
        return bound

    @property
    def clients(self) -> list[int]:
        """The ids of the clients that are connected and ready."""
        return sorted(session.client_id for session in self._sessions if session.ready)

    def sessions(self, client_id: int | None = None) -> list[Session]:
        """The connections of one client, or all, oldest first."""
        chosen = (each for each in self._sessions if client_id is None or each.client_id == client_id)
        return sorted(chosen, key=lambda session: session.number)

    def find(self, name: str | int) -> Instrument:
        """The instrument a script names. Raises KeyError."""
        for instrument in self.instruments.values():
            if instrument.answers_to(name):
                return instrument
        raise KeyError(f"no instrument is called {name!r}")

    def meant(self, contract: WireContract) -> list[Instrument]:
        """The instruments that a client could mean."""
        return [each for each in self.instruments.values() if each.matches(contract)]

    def subscriptions(self, name: str | int | None = None, kind: type[Request] | None = None) -> list[Subscription]:
        """What clients are subscribed to now, the stalled included."""
        instrument = None if name is None else self.find(name)
        return [
            subscription
            for session in self.sessions()
            for subscription in session.subscriptions.values()
            if (instrument is None or subscription.instrument == instrument)
            and (kind is None or isinstance(subscription.request, kind))
        ]

    def push(self, subscription: Subscription, *fields: Field) -> bool:
        """Send to one subscription, unless it stalled or its data does not flow."""
        if subscription.stalled or {"connectivity", "market"} & self.outages:
            self.swallowed += 1
            return False
        return subscription.session.send(*fields)

    @contextmanager
    def packet(self) -> Iterator[None]:
        """Everything sent inside reaches each client in one write."""
        self.in_packet = True
        try:
            yield
        finally:
            self.in_packet = False
            for session in self.sessions():
                session.flush_packet()

    def error(self, session: Session, request_id: int, code: int, text: str = "") -> bool:
        """Tell one client of an error or a notice (-1: of no request)."""
        return session.send(4, 2, request_id, code, text or text_of(code), "")

    def opened(self, session: Session) -> int:
        """A connection began; its number."""
        self.connections += 1
        self._sessions.add(session)
        self._changed.set()
        return self.connections

    def closed(self, session: Session) -> None:
        """A connection ended, and with it its subscriptions."""
        self._sessions.discard(session)
        self._changed.set()

    def greeted(self, session: Session, versions: str) -> None:
        """Answer the client's range of versions with the lower of its highest and ours."""
        said = VERSIONS.match(versions)
        if said is None:
            session.close()
            return
        version = min(self.server_version, int(said[2] or said[1]))
        session.send(version, datetime.fromtimestamp(self.now(), UTC).strftime("%Y%m%d %H:%M:%S UTC"))

    def received(self, session: Session, fields: list[str]) -> None:
        """Record a request and answer it."""
        request = parse(fields, session.client_id, session.number)
        if isinstance(request, StartApi):
            self._start(session, request)
            return
        self._record(request)
        failures = self._failures[type(request)]
        if failures:
            code, text = failures.popleft()
            number = getattr(request, "request_id", getattr(request, "order_id", -1))
            self.error(session, number, code, text)
        else:
            self.answer(session, request)

    def answer(self, session: Session, request: Request) -> None:
        """Answer one request."""
        raise NotImplementedError

    def _start(self, session: Session, request: StartApi) -> None:
        self._record(request)
        taken = {each.client_id for each in self._sessions if each.ready} | self.occupied_ids
        if request.own_id in taken:
            self.error(session, -1, 326)
            session.close()
            return
        session.client_id = request.own_id
        session.ready = True
        if self.ready:
            self.announce(session)
        self._changed.set()

    def announce(self, session: Session) -> None:
        """Accounts, the next order id and the farms: then a client is ready."""
        session.send(15, 1, ",".join(self.accounts))
        session.send(9, 1, self.next_order_id)
        for code in self.notices:
            self.error(session, -1, code)

    def _record(self, request: Request) -> None:
        self.requests.append(request)
        self._changed.set()

    def requests_of[Kind: Request](self, kind: type[Kind]) -> list[Kind]:
        """The requests of one kind so far, oldest first."""
        return [each for each in self.requests if isinstance(each, kind)]

    async def requested[Kind: Request](
        self,
        kind: type[Kind],
        count: int = 1,
        where: Callable[[Kind], bool] | None = None,
        timeout: float = 5.0,  # noqa: ASYNC109 - part of what is asserted
    ) -> list[Kind]:
        """Wait until so many requests of a kind have come since the beginning; returns them. Raises AssertionError."""

        def found() -> list[Kind]:
            return [each for each in self.requests_of(kind) if where is None or where(each)]

        await self.until(lambda: len(found()) >= count, timeout, f"fewer than {count} {kind.__name__} came")
        return found()

    async def connected(self, count: int = 1, timeout: float = 5.0) -> None:  # noqa: ASYNC109
        """Wait until so many clients are ready. Raises AssertionError."""
        await self.until(lambda: len(self.clients) >= count, timeout, f"fewer than {count} clients connected")

    async def disconnected(self, count: int = 0, timeout: float = 5.0) -> None:  # noqa: ASYNC109
        """Wait until not more than so many connections are left. Raises AssertionError."""
        await self.until(lambda: len(self._sessions) <= count, timeout, f"more than {count} connections stayed")

    async def until(self, condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
        """Wait for a condition that connections and requests bring about. Raises AssertionError."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            raise AssertionError(f"{otherwise} within {seconds} s") from error
