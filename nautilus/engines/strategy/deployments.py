"""All deployments of a node: made, kept between restarts, and brought back as they were."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from nautilus.engines.strategy.deployment import Deployment, DeploymentRecord, DeploymentStatus, Subscribe
from nautilus.engines.strategy.desk import Desk
from nautilus.engines.strategy.strategy import Strategy
from nautilus.engines.strategy.strategy_classes import StrategyClasses
from nautilus.errors import Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from nautilus.engines.strategy.models import DeploymentConfig
    from nautilus.model.instruments import InstrumentRegistry
    from nautilus.store.base import State

RECORDS = "strategy.deployments"
STATES = "strategy.states"
DEPLOYMENTS_MAX = 200
_ACTIVE = frozenset({DeploymentStatus.RUNNING, DeploymentStatus.PAUSED})


class Deployments:
    """Deployments by name. `make_desk(name, account)` connects one to the platform; `changed` hears of each change."""

    def __init__(
        self,
        *,
        classes: StrategyClasses,
        state: "State",
        instruments: "InstrumentRegistry",
        make_desk: Callable[[str, str], Desk],
        subscribe: Subscribe,
        changed: Callable[[DeploymentRecord], None],
    ) -> None:
        self.classes = classes
        self._state = state
        self._instruments = instruments
        self._make_desk = make_desk
        self._subscribe = subscribe
        self._changed = changed
        self._deployments: dict[str, Deployment] = {}

    def __iter__(self) -> Iterator[Deployment]:
        return iter(list(self._deployments.values()))

    def __getitem__(self, name: str) -> Deployment:
        try:
            return self._deployments[name]
        except KeyError:
            raise NotFound("strategy", name) from None

    def __contains__(self, name: object) -> bool:
        return name in self._deployments

    def deploy(self, name: str, strategy: str, config: dict[str, Any], account_id: str) -> Deployment:
        """Make a deployment, not started. Raises NotFound, Invalid for its configuration, Conflict for a used name."""
        if name in self._deployments:
            raise Conflict(f"there is a strategy {name!r} already")
        if len(self._deployments) >= DEPLOYMENTS_MAX:
            raise Conflict(f"there are {DEPLOYMENTS_MAX} strategies already")
        record = DeploymentRecord(
            name=name, strategy=strategy, config=config, account_id=account_id, status=DeploymentStatus.DEPLOYED
        )
        self._strategy(record)
        return self._add(record)

    def remove(self, name: str) -> None:
        """Forget a deployment that is not active, with its saved state. Its orders and position stay."""
        deployment = self[name]
        if deployment.status in _ACTIVE:
            raise Conflict(f"strategy {name!r} is {deployment.status}: stop it first")
        del self._deployments[name]
        self._state.delete(RECORDS, name)
        self._state.delete(STATES, name)

    def bring_back(self, configured: "Iterable[DeploymentConfig]", account_id: str) -> list[Deployment]:
        """Make the deployments of the last run, and those of the configuration; returns the ones that are new.

        Where both name one, the configuration says with what parameters and the last run whether it runs.
        """
        records = {name: msgspec.json.decode(data, type=DeploymentRecord) for name, data in self._state.items(RECORDS)}
        new: list[str] = []
        for item in configured:
            known = records.get(item.name)
            if known is None:
                new.append(item.name)
            records[item.name] = DeploymentRecord(
                name=item.name,
                strategy=item.strategy,
                config=item.config,
                account_id=item.account_id or account_id,
                status=known.status if known else DeploymentStatus.DEPLOYED,
                error=known.error if known else "",
                ts_changed=known.ts_changed if known else 0,
            )
        for record in records.values():
            self._add(record)
        return [self._deployments[name] for name in new]

    def save(self) -> None:
        """Keep the state of every running strategy."""
        for deployment in self:
            deployment.save()

    def suspend(self) -> None:
        """The process is ending."""
        for deployment in self:
            deployment.suspend()

    def _add(self, record: DeploymentRecord) -> Deployment:
        name = record.name
        deployment = Deployment(
            record,
            self._make_desk(name, record.account_id),
            make=self._strategy,
            subscribe=self._subscribe,
            load=lambda: self._load(name),
            save=lambda state: self._state.put(STATES, name, msgspec.msgpack.encode(state)),
            changed=self._keep,
        )
        self._deployments[name] = deployment
        self._write(record)
        return deployment

    def _strategy(self, record: DeploymentRecord) -> Strategy[Any]:
        """A new instance; raises NotFound for a class or instrument, Invalid for a field of the configuration."""
        strategy_type = self.classes.get(record.strategy)
        try:
            config = msgspec.convert(record.config, strategy_type.config_type)
        except msgspec.ValidationError as error:
            reason, _, path = str(error).partition(" - at `$")
            raise Invalid(f"config{path.rstrip('`')}", reason) from None
        except (OverflowError, RecursionError) as error:
            raise Invalid("config", str(error)) from None
        except Invalid as error:
            raise Invalid(f"config.{error.field}", error.reason) from None
        if not config.instrument_ids:
            known = tuple(sorted(instrument.id for instrument in self._instruments))
            config = msgspec.structs.replace(config, instrument_ids=known)
        for instrument_id in config.instrument_ids:
            if instrument_id not in self._instruments:
                raise NotFound("instrument", instrument_id)
        return strategy_type(config)

    def _load(self, name: str) -> dict[str, Any] | None:
        data = self._state.get(STATES, name)
        return None if data is None else msgspec.msgpack.decode(data, type=dict[str, Any])

    def _keep(self, record: DeploymentRecord) -> None:
        self._write(record)
        self._changed(record)

    def _write(self, record: DeploymentRecord) -> None:
        self._state.put(RECORDS, record.name, msgspec.json.encode(record))
