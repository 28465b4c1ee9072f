"""The line that never lets go: opened, kept alive, found dead though its socket is open, and opened again for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

from nautilus.clock import Clock, TimeEvent
from nautilus.engines.marketdata.ibkr.backoff import Backoff
from nautilus.engines.marketdata.ibkr.line import ClientIdTaken, Line
from nautilus.engines.marketdata.ibkr.outbox import Outbox
from nautilus.engines.marketdata.ibkr.receiver import Listener, Receiver
from nautilus.engines.marketdata.ibkr.settings import IbkrSettings, nanoseconds
from nautilus.errors import Unavailable

if TYPE_CHECKING:
    import structlog


class Connection:
    """One line after another. `on_up()` is called when one is ready, `on_down(reason, last_heard_ns)` when it ends.

    Every `heartbeat_seconds` the gateway is asked for the time. Any message that can be decoded is a sign of life; when
    none has come for `dead_after_seconds`, and a heartbeat stands unanswered, the line is cut from this side. Attempts
    never end; they are spaced by a capped exponential backoff with jitter on the node's clock. A client id that is
    taken, perhaps by our own last connection that the gateway has not given up yet, is followed by the next.
    """

    def __init__(
        self,
        settings: IbkrSettings,
        clock: Clock,
        listener: Listener,
        log: structlog.stdlib.BoundLogger,
        name: str,
        *,
        on_up: Callable[[], None],
        on_down: Callable[[str, int], None],
        random: Random,
    ) -> None:
        self.line: Line | None = None
        self.connects = 0
        self.attempts = 0
        self.dead = 0
        """Lines found dead though their sockets were open."""
        self.ids_taken = 0
        self.undecodable = 0
        """Messages that could not be decoded, on lines that have ended."""
        self.last_error = ""
        self.connected_ns: int | None = None
        self.heartbeat_ns: int | None = None
        """How long the last answer to a heartbeat took."""
        self.client_id = settings.client_id
        self.outbox = Outbox(clock, settings.messages_per_second, settings.message_burst, f"{name}.outbox")
        self._settings = settings
        self._clock = clock
        self._listener = listener
        self._log = log
        self._timer_name = f"{name}.connect"
        self._on_up, self._on_down = on_up, on_down
        first, cap = nanoseconds(settings.backoff_first_seconds), nanoseconds(settings.backoff_cap_seconds)
        self._backoff = Backoff(first, cap, random)
        self._heartbeat_every_ns = nanoseconds(settings.heartbeat_seconds)
        self._dead_after_ns = nanoseconds(settings.dead_after_seconds)
        self._task: asyncio.Task[None] | None = None
        self._opening: Line | None = None
        self._is_running = False
        self._asked_ns = 0
        self._asked_at_message = -1

    @property
    def is_up(self) -> bool:
        """Whether there is a line that is ready."""
        return self.line is not None

    @property
    def client(self) -> Any:
        """ib_async's client of the line that is ready; raises Unavailable where there is none."""
        if self.line is None:
            raise Unavailable("not connected to the gateway")
        return self.line.client

    @property
    def undecodable_total(self) -> int:
        """Messages that could not be decoded, on all lines."""
        return self.undecodable + (self.line.decode_errors.count if self.line is not None else 0)

    def start(self) -> None:
        """Begin, and go on until `stop`."""
        self._is_running = True
        self._attempt()

    async def stop(self) -> None:
        """End the line and every attempt; nothing is left behind."""
        self._is_running = False
        self._clock.cancel_timer(self._timer_name)
        self.outbox.clear()
        line, self.line = self.line, None
        for each in (line, self._opening):
            if each is not None:
                each.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await asyncio.sleep(0)  # the transport closes on the loop's next turn

    def notice(self, code: int, text: str) -> None:
        """A notice of the gateway, for the line that is being opened."""
        if self._opening is not None:
            self._opening.notice(code, text)

    def drop(self, reason: str) -> None:
        """End the line from this side and open another."""
        if self.line is not None:
            self.line.close()
            self._ended(reason)

    def check(self, now_ns: int) -> None:
        """Send the heartbeat that is due; cut a line on which nothing comes any more."""
        line = self.line
        if line is None:
            return
        receiver = line.receiver
        is_answered = receiver.messages > self._asked_at_message
        silent_ns = now_ns - receiver.last_message_ns
        patience_ns = self._dead_after_ns - self._heartbeat_every_ns
        if not is_answered and silent_ns >= self._dead_after_ns and now_ns - self._asked_ns >= patience_ns:
            self.dead += 1
            self.drop(f"nothing came for {silent_ns / 1e9:.0f} s though the line is open")
        elif is_answered and now_ns - self._asked_ns >= self._heartbeat_every_ns:
            self._asked_ns = now_ns
            self._asked_at_message = receiver.messages
            self.outbox.put(line.client.reqCurrentTime, urgent=True)

    def _answered(self) -> None:
        self.heartbeat_ns = self._clock.timestamp_ns() - self._asked_ns

    def _attempt(self, _event: TimeEvent | None = None) -> None:
        if self._is_running and self.line is None and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._open(), name=self._timer_name)

    async def _open(self) -> None:
        settings = self._settings
        self.attempts += 1
        receiver = Receiver(self._clock, self._listener)
        receiver.on_time = self._answered
        line = self._opening = Line(receiver, settings.largest_frame_bytes, self._ended)
        try:
            await line.open(settings.host, settings.port, self.client_id, settings.connect_timeout_seconds)
        except Unavailable as error:
            line.close()
            self.undecodable += line.decode_errors.count
            self._failed(error)
        else:
            self._ready(line)
        finally:
            self._opening = None

    def _ready(self, line: Line) -> None:
        if not self._is_running:
            line.close()
            return
        now_ns = self._clock.timestamp_ns()
        self.line = line
        self.connects += 1
        self.connected_ns = self._asked_ns = now_ns
        self._asked_at_message = -1
        self.last_error = ""
        self._log.info("ibkr_connected", client_id=self.client_id, server_version=line.server_version)
        self._on_up()

    def _failed(self, error: Unavailable) -> None:
        if isinstance(error, ClientIdTaken):
            self.ids_taken += 1
            first = self._settings.client_id
            self.client_id = first + (self.client_id - first + 1) % self._settings.client_ids
        if str(error) != self.last_error:  # a gateway that is down for the night is said once
            self._log.warning("ibkr_not_connected", error=str(error))
        self.last_error = str(error)
        self._wait()

    def _ended(self, reason: str) -> None:
        line, self.line = self.line, None
        if line is None:
            return
        self.undecodable += line.decode_errors.count
        self.outbox.clear()
        now_ns = self._clock.timestamp_ns()
        if now_ns - (self.connected_ns or 0) >= nanoseconds(self._settings.backoff_cap_seconds):
            self._backoff.reset()  # it has held: only a line that keeps breaking is approached ever more slowly
        self.connected_ns = None
        self.last_error = reason
        self._log.warning("ibkr_disconnected", reason=reason)
        self._on_down(reason, line.receiver.last_message_ns)
        self._wait()

    def _wait(self) -> None:
        if self._is_running:
            due_ns = self._clock.timestamp_ns() + self._backoff.next_ns()
            self._clock.set_time_alert_ns(self._timer_name, due_ns, self._attempt)
