"""The IBKR feed: what is subscribed to stays subscribed to, through every cut, silence, restart and broken farm."""

from __future__ import annotations

from collections import deque
from random import Random, SystemRandom
from typing import TYPE_CHECKING

from nautilus.clock import Clock, TimeEvent
from nautilus.engines.marketdata.ibkr.bar_stream import BarStream, HistoryRequest
from nautilus.engines.marketdata.ibkr.connection import Connection
from nautilus.engines.marketdata.ibkr.connectivity import CODES, Action, Channel, Connectivity, Decision
from nautilus.engines.marketdata.ibkr.contracts import IbkrContract, contract_of, require_ib_async, wire_contract
from nautilus.engines.marketdata.ibkr.faults import Fault, fault_of
from nautilus.engines.marketdata.ibkr.history_queue import HistoryQueue
from nautilus.engines.marketdata.ibkr.quiet_hours import QuietHours
from nautilus.engines.marketdata.ibkr.quote_stream import LIVE, QuoteStream
from nautilus.engines.marketdata.ibkr.recovery import Key, Recoveries
from nautilus.engines.marketdata.ibkr.report import IbkrReport, Notice, SubscriptionReport
from nautilus.engines.marketdata.ibkr.requests import send_cancellation, send_history_request, send_request
from nautilus.engines.marketdata.ibkr.settings import IbkrSettings, nanoseconds
from nautilus.engines.marketdata.ibkr.stream_kinds import make_stream, make_watchdog
from nautilus.engines.marketdata.ibkr.streams import Emit, Stream
from nautilus.engines.marketdata.ibkr.subscriptions import Kind, State, Subscription
from nautilus.errors import Conflict, Invalid, NotFound
from nautilus.model import AssetClass, InstrumentRegistry

if TYPE_CHECKING:
    import structlog

NOTICES_KEPT = 50
PRESENT_STATES = frozenset({State.REQUESTED, State.LIVE, State.REFUSED})


class IbkrFeed:
    """Market data of TWS or the IB Gateway as model events, handed to `ingest` one by one on the loop.

    Build it before the loop runs: it imports ib_async (Unavailable where there is none) and reads time zones from disk.
    `subscribe` says what is wanted, at any time; the feed sees to it that it flows. `problems` are reasons to call the
    node's market data degraded; `report` is everything. `random` is only for the jitter of the backoff.
    """

    def __init__(
        self,
        settings: IbkrSettings,
        clock: Clock,
        instruments: InstrumentRegistry,
        ingest: Emit,
        log: structlog.stdlib.BoundLogger,
        *,
        random: Random | None = None,
        name: str = "ibkr",
    ) -> None:
        require_ib_async()
        self.settings = settings
        self._clock = clock
        self._instruments = instruments
        self._ingest = ingest
        self._log = log
        self._name = name
        self._subscriptions: dict[Key, Subscription] = {}
        self._by_request: dict[int, Subscription] = {}
        self._quiet = {kind: QuietHours(settings.quiet_windows(kind), settings.quiet_timezone) for kind in AssetClass}
        self._node_quiet = QuietHours(settings.quiet_hours, settings.quiet_timezone)
        self._connectivity = Connectivity(nanoseconds(settings.farm_hold_seconds))
        self._recoveries = Recoveries()
        self._notices: deque[Notice] = deque(maxlen=NOTICES_KEPT)
        self._unrouted = 0
        self._history = HistoryQueue(clock, settings, self._queue_history, f"{name}.history")
        self.connection = Connection(
            settings, clock, self, log, name, on_up=self._up, on_down=self._down, random=random or SystemRandom()
        )

    # -- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect, and stay connected until `stop`. Call on the running loop."""
        check_ns = nanoseconds(self.settings.check_seconds)
        self._clock.set_timer_ns(f"{self._name}.check", check_ns, self._check)
        self.connection.start()

    async def stop(self) -> None:
        """Disconnect and cancel every timer; what was subscribed to is remembered for another start."""
        self._clock.cancel_timer(f"{self._name}.check")
        self._history.clear()
        self._forget_requests()
        await self.connection.stop()

    # -- what is wanted ------------------------------------------------------------------------------------------

    def subscribe(
        self,
        instrument_id: str,
        kind: Kind | str,
        spec: str = "",
        *,
        contract: IbkrContract | None = None,
        stale_after_seconds: float | None = None,
        quiet: QuietHours | None = None,
    ) -> Key:
        """Want a stream; `spec` is the bar size, such as "60s". Wanting it again changes nothing. Returns its key.

        Raises NotFound for an unknown instrument, Invalid, or Conflict where there are too many, or quotes of two kinds
        of one instrument, whose times could not be put in order.
        """
        instrument = self._instruments[instrument_id]
        wanted = _kind(kind)
        key: Key = (instrument.id, wanted.value, spec)
        if key in self._subscriptions:
            return key
        other = {Kind.QUOTES: Kind.TICK_QUOTES, Kind.TICK_QUOTES: Kind.QUOTES}.get(wanted)
        if other is not None and (instrument.id, other.value, "") in self._subscriptions:
            raise Conflict(f"{instrument.id} has {other.value} already: quotes can come from one of the two only")
        if len(self._subscriptions) >= self.settings.largest_subscriptions:
            raise Conflict(f"there are {len(self._subscriptions)} subscriptions already (largest_subscriptions)")
        known = contract or contract_of(instrument)
        subscription = Subscription(
            instrument,
            wanted,
            spec,
            known,
            wire_contract(known),
            make_stream(self.settings, self._clock, self._ingest, instrument, wanted, spec, known.size_multiplier),
            make_watchdog(self.settings, wanted, spec, stale_after_seconds),
            quiet or self._quiet[instrument.asset_class],
        )
        self._subscriptions[key] = subscription
        if self.connection.is_up:
            self._ask(subscription)
        return key

    def unsubscribe(self, key: Key) -> None:
        """Want it no more; raises NotFound where it was not wanted."""
        subscription = self._subscriptions.pop(key, None)
        if subscription is None:
            raise NotFound("subscription", " ".join(key))
        self._cancel(subscription)
        self._history.discard(key)
        self._recoveries.back(key, self._clock.timestamp_ns())

    def stream(self, key: Key) -> Stream:
        """The stream of a subscription, with its book or its counts; raises NotFound."""
        subscription = self._subscriptions.get(key)
        if subscription is None:
            raise NotFound("subscription", " ".join(key))
        return subscription.stream

    # -- asking --------------------------------------------------------------------------------------------------

    def _ask(self, subscription: Subscription) -> None:
        """Put a request on its way; what an older one left half done is void."""
        now_ns = self._clock.timestamp_ns()
        subscription.stream.begin(now_ns)
        subscription.state = State.WAITING
        subscription.watchdog.requested(now_ns)
        if isinstance(subscription.stream, BarStream):
            self._history.put(subscription, subscription.stream)
        elif not subscription.is_queued:
            subscription.is_queued = True
            self.connection.outbox.put(lambda: self._send(subscription))

    def _queue_history(self, subscription: Subscription, stream: BarStream, request: HistoryRequest) -> None:
        def send() -> None:
            if self._subscriptions.get(subscription.key) is subscription:
                number = self._register(subscription)
                send_history_request(self.connection.client, number, subscription, stream, request)

        self.connection.outbox.put(send)

    def _send(self, subscription: Subscription) -> None:
        subscription.is_queued = False
        if self._subscriptions.get(subscription.key) is not subscription:
            return
        number = self._register(subscription)
        send_request(self.connection.client, number, subscription, self.settings.depth_rows)
        if not subscription.kind.has_snapshot:
            subscription.watchdog.trust()
            self._recoveries.back(subscription.key, self._clock.timestamp_ns())

    def _register(self, subscription: Subscription) -> int:
        """A new request id, under which messages reach the subscription's stream; the old one is heard no more."""
        self._release(subscription)
        number = int(self.connection.client.getReqId())
        subscription.request_id = number
        subscription.requests += 1
        subscription.state = State.REQUESTED
        subscription.watchdog.requested(self._clock.timestamp_ns())
        self._by_request[number] = subscription
        if self.connection.line is not None:
            self.connection.line.receiver.streams[number] = subscription.stream
        return number

    def _release(self, subscription: Subscription) -> int | None:
        number, subscription.request_id = subscription.request_id, None
        if number is not None:
            self._by_request.pop(number, None)
            if self.connection.line is not None:
                self.connection.line.receiver.streams.pop(number, None)
        return number

    def _cancel(self, subscription: Subscription) -> None:
        number = self._release(subscription)
        if number is not None and self.connection.is_up:
            self.connection.outbox.put(
                lambda: send_cancellation(self.connection.client, number, subscription), urgent=True
            )

    def _renew(self, subscription: Subscription) -> None:
        self._cancel(subscription)
        self._ask(subscription)

    def _forget_requests(self) -> None:
        self._by_request.clear()
        for subscription in self._subscriptions.values():
            subscription.request_id = None
            subscription.is_queued = False
            subscription.state = State.WAITING

    # -- the line ------------------------------------------------------------------------------------------------

    def _up(self) -> None:
        data_type = self.settings.market_data_type
        self._connectivity = Connectivity(nanoseconds(self.settings.farm_hold_seconds))
        self.connection.outbox.put(lambda: self.connection.client.reqMarketDataType(data_type))
        self._await_recovery()
        for subscription in list(self._subscriptions.values()):
            self._ask(subscription)

    def _down(self, reason: str, last_heard_ns: int) -> None:
        self._history.clear()
        self._forget_requests()
        for subscription in self._subscriptions.values():
            subscription.watchdog.suspect()
        self._recoveries.begin(reason, last_heard_ns, self._clock.timestamp_ns())

    def _await_recovery(self) -> None:
        now_ns = self._clock.timestamp_ns()
        flowing = [each for each in self._subscriptions.values() if each.watchdog.last_ns]
        self._recoveries.connected((each.key for each in flowing if not each.quiet.contains(now_ns)), now_ns)

    def _check(self, event: TimeEvent) -> None:
        """Once a second: the line, then each subscription on it."""
        now_ns = event.ts_init
        self.connection.check(now_ns)
        lost_ns = self._connectivity.servers_lost_ns
        if lost_ns is not None and now_ns - lost_ns >= nanoseconds(self.settings.servers_lost_seconds):
            self.connection.drop("TWS has been without its servers for too long")
        if not self.connection.is_up:
            return
        held = frozenset(channel for channel in Channel if self._connectivity.holds(channel, now_ns))
        for subscription in list(self._subscriptions.values()):
            stream = subscription.stream
            if isinstance(stream, BarStream):
                stream.close_due(now_ns)
            if subscription.state not in PRESENT_STATES:
                continue
            is_held = not held.isdisjoint(subscription.kind.channels)
            if subscription.watchdog.wants_renewal(now_ns, subscription.quiet.contains(now_ns), is_held):
                self._log.warning("ibkr_stale", subscription=subscription.name, renewal=subscription.watchdog.renewals)
                self._renew(subscription)

    # -- what comes ----------------------------------------------------------------------------------------------

    def heard(self, request_id: int, now_ns: int) -> None:
        """A message of a subscription has come."""
        subscription = self._by_request.get(request_id)
        if subscription is None:
            return
        subscription.watchdog.data(now_ns)
        if subscription.state is not State.LIVE:
            subscription.state = State.LIVE
            subscription.reason = ""
        if self._recoveries.is_missing and subscription.kind is not Kind.BARS:
            self._recoveries.back(subscription.key, now_ns)

    def answered(self, request_id: int) -> None:
        """A historical request has been answered in full: ask for the next piece, or the bars are live."""
        subscription = self._by_request.get(request_id)
        if subscription is None or not isinstance(subscription.stream, BarStream):
            return
        now_ns = self._clock.timestamp_ns()
        if subscription.stream.history_end(now_ns):
            self._recoveries.back(subscription.key, now_ns)
        else:
            self._release(subscription)
            self._history.put(subscription, subscription.stream)

    def noticed(self, request_id: int, code: int, text: str) -> None:
        """An error, a warning or a notice has come."""
        now_ns = self._clock.timestamp_ns()
        self.connection.notice(code, text)
        if code in CODES:
            self._notices.append(Notice(now_ns, code, text))
            self._act(self._connectivity.notice(code, text, now_ns), text, now_ns)
            return
        subscription = self._by_request.get(request_id)
        if subscription is None:
            self._notices.append(Notice(now_ns, code, text))
        else:
            self._take_fault(subscription, request_id, code, text, now_ns)

    def _act(self, decision: Decision, text: str, now_ns: int) -> None:
        if decision.action is Action.RECONNECT:
            self.connection.drop(text)
        if decision.action is Action.NONE or not self.connection.is_up:
            return
        affected = [one for one in self._subscriptions.values() if decision.channels & one.kind.channels]
        is_everything = decision.channels == frozenset(Channel)
        if decision.action is Action.SUSPECT:
            for subscription in affected:
                subscription.watchdog.suspect()
            if is_everything:
                self._recoveries.begin(text, now_ns, now_ns)
        elif decision.action is Action.WATCH:
            for subscription in affected:
                subscription.watchdog.watch(now_ns)
            if is_everything:
                self._recoveries.connected((), now_ns)
        elif decision.action is Action.RESUBSCRIBE:
            self._log.warning("ibkr_data_lost", subscriptions=len(affected))
            if self._recoveries.current is None:
                self._recoveries.begin(text, now_ns, now_ns)
            self._await_recovery()
            for subscription in affected:
                subscription.watchdog.suspect()
                self._renew(subscription)

    def _take_fault(self, subscription: Subscription, request_id: int, code: int, text: str, now_ns: int) -> None:
        fault = fault_of(code, text)
        if fault is Fault.NONE:
            return
        line = self.connection.line
        stream = subscription.stream
        if fault is Fault.DEPTH_RESET:
            if line is not None:
                line.receiver.reset_depth(request_id)
            subscription.watchdog.suspect()
            subscription.watchdog.watch(now_ns)
            return
        subscription.reason = f"{code}: {text}"
        self._log.warning("ibkr_fault", subscription=subscription.name, code=code, text=text)
        if fault is Fault.NO_DATA and isinstance(stream, BarStream) and not stream.is_live:
            self.answered(request_id)  # nothing traded in this piece of the past
        elif fault is Fault.PACING and isinstance(stream, BarStream):
            self._history.violated()
            self._release(subscription)
            self._history.put(subscription, stream)
        elif fault is Fault.REFUSED:
            subscription.state = State.REFUSED
            subscription.watchdog.refused(now_ns)
            self._recoveries.back(subscription.key, now_ns)
        else:
            subscription.watchdog.failed(now_ns)

    # -- what is said --------------------------------------------------------------------------------------------

    def problems(self) -> list[str]:
        """Why this feed is not in order; empty where it is, and in quiet hours for a line that is down."""
        now_ns = self._clock.timestamp_ns()
        if not self.connection.is_up:
            why = self.connection.last_error or "connecting"
            return [] if self._node_quiet.contains(now_ns) else [f"no connection to IBKR: {why}"]
        reasons = []
        if self._connectivity.servers_lost_ns is not None:
            reasons.append("TWS has lost the connection to its servers")
        for subscription in self._subscriptions.values():
            watchdog = subscription.watchdog
            if subscription.state is State.REFUSED:
                reasons.append(f"{subscription.name} is refused: {subscription.reason}")
            elif watchdog.is_stale or watchdog.is_suspect:
                broken = self._connectivity.broken(subscription.kind.channels)
                cause = f"farm broken: {', '.join(broken)}" if broken else subscription.reason
                reasons.append(f"{subscription.name} is stale" + (f" ({cause})" if cause else ""))
            stream = subscription.stream
            if isinstance(stream, QuoteStream) and self.settings.market_data_type == LIVE != stream.data_type:
                reasons.append(f"{subscription.name} are not live (market data type {stream.data_type})")
        return reasons

    def report(self) -> IbkrReport:
        """Everything there is to say."""
        connection = self.connection
        line = connection.line
        return IbkrReport(
            state="up" if line is not None else "down",
            host=self.settings.host,
            port=self.settings.port,
            client_id=connection.client_id,
            server_version=line.server_version if line is not None else 0,
            connected_ns=connection.connected_ns,
            connects=connection.connects,
            attempts=connection.attempts,
            dead_lines=connection.dead,
            client_ids_taken=connection.ids_taken,
            heartbeat_seconds=None if connection.heartbeat_ns is None else connection.heartbeat_ns / 1e9,
            last_error=connection.last_error,
            servers_lost_ns=self._connectivity.servers_lost_ns,
            farms=self._connectivity.farms(),
            subscriptions=[_describe(each) for each in self._subscriptions.values()],
            outages=list(self._recoveries.outages),
            outage_count=self._recoveries.count,
            undecodable=connection.undecodable_total,
            unrouted=line.receiver.unrouted if line is not None else 0,
            messages_sent=connection.outbox.sent,
            paced_messages=connection.outbox.waits,
            paced_history=self._history.waits,
            pacing_violations=self._history.violations,
            notices=list(self._notices),
        )


def _kind(kind: Kind | str) -> Kind:
    try:
        return Kind(kind)
    except ValueError:
        raise Invalid("kind", f"must be one of {', '.join(Kind)}, not {kind!r}") from None


def _describe(subscription: Subscription) -> SubscriptionReport:
    stream, watchdog = subscription.stream, subscription.watchdog
    instrument_id, kind, spec = subscription.key
    return SubscriptionReport(
        instrument_id=instrument_id,
        kind=kind,
        spec=spec,
        state=subscription.state.value,
        is_stale=watchdog.is_stale,
        is_suspect=watchdog.is_suspect,
        last_data_ns=watchdog.last_ns or None,
        stale_after_seconds=watchdog.limit_ns / 1e9,
        events=stream.events,
        refused=stream.refused,
        off_grid=stream.grid.off_grid,
        requests=subscription.requests,
        renewals=watchdog.renewals,
        backfilled=stream.backfilled if isinstance(stream, BarStream) else 0,
        reason=subscription.reason,
    )
