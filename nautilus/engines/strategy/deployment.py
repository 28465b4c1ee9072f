"""One strategy under management: deployed, running, paused, stopped, or ended by its own error."""

import traceback
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec

from nautilus.engines.strategy.desk import Desk
from nautilus.engines.strategy.strategy import Strategy
from nautilus.errors import Conflict, NautilusError, NotFound
from nautilus.model import topics

ERROR_MAX_CHARACTERS = 8_000
Subscribe = Callable[[str, Callable[[Any], object]], Callable[[], None]]
_TOPICS: dict[str, Callable[[str], str]] = {
    "on_quote": topics.quote,
    "on_trade": topics.trade,
    "on_book": topics.book,
    "on_feature": topics.features,
    "on_prediction": topics.prediction,
    "on_vpin": topics.vpin,
    "on_toxicity": topics.toxicity,
}
_OWN_TOPICS: dict[str, Callable[[str], str]] = {"on_order": topics.order, "on_fill": topics.fill}


class DeploymentStatus(StrEnum):
    """Where a deployment stands."""

    DEPLOYED = "deployed"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    ERROR = "error"


class DeploymentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a deployment between restarts. `error` is the traceback that ended it."""

    name: str
    strategy: str
    config: dict[str, Any]
    account_id: str
    status: DeploymentStatus
    error: str = ""
    ts_changed: int = 0


class Deployment:
    """Runs one strategy. `make` gives a new instance, `changed` is called after every change of status.

    Pausing keeps the position, cancels the open orders and calls the strategy for nothing but its own orders and fills;
    stopping also ends the instance, of which `save`'s state stays. A failing handler ends it in the state `error`, its
    orders cancelled, its position kept: what to do with that is a person's decision.
    """

    def __init__(
        self,
        record: DeploymentRecord,
        desk: Desk,
        *,
        make: Callable[[DeploymentRecord], Strategy[Any]],
        subscribe: Subscribe,
        load: Callable[[], dict[str, Any] | None],
        save: Callable[[dict[str, Any]], None],
        changed: Callable[[DeploymentRecord], None],
    ) -> None:
        self.record = record
        self.strategy: Strategy[Any] | None = None
        self.waits_for = ""
        """What has to become known before the strategy can go on; empty where it does not wait."""
        self._desk = desk
        self._make = make
        self._subscribe = subscribe
        self._load = load
        self._save = save
        self._changed = changed
        self._data: list[Callable[[], None]] = []
        self._own: list[Callable[[], None]] = []
        desk.guard = self._guard

    @property
    def status(self) -> DeploymentStatus:
        """Where it stands."""
        return self.record.status

    def start(self) -> None:
        """Make a new instance, give it its saved state and let it run."""
        self._expect(DeploymentStatus.DEPLOYED, DeploymentStatus.STOPPED, DeploymentStatus.ERROR)
        self._launch(self._make(self.record))

    def pause(self) -> None:
        """Stop trading and listening, keep the position."""
        self._expect(DeploymentStatus.RUNNING)
        self._desk.may_trade = False
        _undo(self._data)
        self._become(DeploymentStatus.PAUSED)
        self._desk.cancel_all()
        self.save()

    def resume(self) -> None:
        """Go on after a pause; after a restart, with a new instance and the saved state."""
        self._expect(DeploymentStatus.PAUSED)
        if self.strategy is None:
            self._launch(self._make(self.record))
            return
        self._desk.may_trade = True
        self._become(DeploymentStatus.RUNNING)
        self._listen(self.strategy)

    def stop(self) -> None:
        """Cancel the open orders, tell the strategy, and end the instance."""
        self._expect(DeploymentStatus.RUNNING, DeploymentStatus.PAUSED)
        self._desk.cancel_all()
        strategy = self.strategy
        if strategy is not None:
            self._guard(lambda _: strategy.on_stop(), None)
            self.save()
        if self.status is not DeploymentStatus.ERROR:
            self._end()
            self._become(DeploymentStatus.STOPPED)

    def suspend(self) -> None:
        """The process is ending: keep state and status, so that the next one goes on from here."""
        self.save()
        self._end()

    def revive(self, *, patient: bool = False) -> None:
        """After a restart: go on as it was. What can no longer be made ends in error.

        A patient one whose instrument is not known waits for it: call again when there are new ones.
        """
        if self.status is not DeploymentStatus.RUNNING:
            return
        try:
            strategy = self._make(self.record)
        except NotFound as error:
            if patient and error.kind == "instrument":
                self.waits_for = str(error)
            else:
                self._become(DeploymentStatus.ERROR, str(error))
        except NautilusError as error:
            self._become(DeploymentStatus.ERROR, str(error))
        else:
            self._launch(strategy)

    def save(self) -> None:
        """Keep the strategy's state."""
        strategy = self.strategy
        if strategy is not None:
            self._guard(lambda _: self._save(strategy.save()), None)

    def _launch(self, strategy: Strategy[Any]) -> None:
        strategy.bind(self._desk)
        self.strategy = strategy
        self._desk.may_trade = True
        self._become(DeploymentStatus.RUNNING)
        self._guard(lambda _: self._begin(strategy), None)

    def _begin(self, strategy: Strategy[Any]) -> None:
        state = self._load()
        if state is not None:
            strategy.load(state)
        for name, topic in _OWN_TOPICS.items():
            if _overrides(strategy, name):
                self._own.append(self._subscribe(topic(self.record.name), self._guarded(getattr(strategy, name))))
        strategy.on_start()
        self._listen(strategy)

    def _listen(self, strategy: Strategy[Any]) -> None:
        """Subscribe what the strategy overrides; an error in `on_start` has ended it already."""
        if self.status is not DeploymentStatus.RUNNING:
            return
        for instrument_id in strategy.config.instrument_ids:
            for name, topic in _TOPICS.items():
                if _overrides(strategy, name):
                    handler = self._guarded(getattr(strategy, name))
                    self._data.append(self._subscribe(topic(instrument_id), handler))
            if _overrides(strategy, "on_bar"):
                for spec in strategy.bar_specs():
                    handler = self._guarded(strategy.on_bar)
                    self._data.append(self._subscribe(topics.bar(spec, instrument_id), handler))

    def _guarded(self, handler: Callable[[Any], object]) -> Callable[[Any], None]:
        strategy = self.strategy

        def call(message: Any) -> None:
            if self.strategy is strategy:
                try:
                    handler(message)
                except Exception as error:  # noqa: BLE001 - a strategy's error ends that strategy and nothing else
                    self._fail(error)

        return call

    def _guard(self, handler: Callable[[Any], object], message: Any) -> None:
        """Call now; timers of a paused strategy are silent."""
        if self.strategy is None or (self.status is DeploymentStatus.PAUSED and message is not None):
            return
        try:
            handler(message)
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self.strategy is None:
            return
        self._end()
        text = "".join(traceback.format_exception(error))[-ERROR_MAX_CHARACTERS:]
        self._become(DeploymentStatus.ERROR, text)
        self._desk.cancel_all()

    def _end(self) -> None:
        self._desk.may_trade = False
        self._desk.cancel_timers()
        _undo(self._data)
        _undo(self._own)
        self.strategy = None

    def _expect(self, *allowed: DeploymentStatus) -> None:
        if self.status not in allowed:
            raise Conflict(f"strategy {self.record.name!r} is {self.status}, not {' or '.join(allowed)}")

    def _become(self, status: DeploymentStatus, error: str = "") -> None:
        self.waits_for = ""
        now = self._desk.clock.timestamp_ns()
        self.record = msgspec.structs.replace(self.record, status=status, error=error, ts_changed=now)
        self._changed(self.record)


def _overrides(strategy: Strategy[Any], name: str) -> bool:
    return getattr(type(strategy), name) is not getattr(Strategy, name)


def _undo(actions: list[Callable[[], None]]) -> None:
    while actions:
        actions.pop()()
