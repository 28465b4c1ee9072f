"""Kill switch, halts and restricted list: who may trade, and what must be done to what is open. Survives a restart."""

from typing import Literal

import msgspec

from nautilus.engines.risk.breaches import Breach
from nautilus.engines.risk.gate import Gate
from nautilus.engines.risk.limits import ACTION_RANK, LimitScope
from nautilus.errors import Conflict
from nautilus.model.instruments import InstrumentRegistry
from nautilus.model.messages import TradingControl, TradingState

MAX_MANUAL_STATES = 1000
_STATE_OF_ACTION: dict[str, TradingState] = {
    "alert": "active",
    "reduce_only": "reducing",
    "halt": "halted",
    "freeze": "halted",
    "liquidate": "reducing",
}
_STRICTNESS: dict[str, int] = {"active": 0, "reducing": 1, "halted": 2}


class KillSwitch(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the kill switch is engaged, since when, by whom and why; `liquidate` also closes every position."""

    engaged: bool = False
    liquidate: bool = False
    ts_event: int = 0
    actor: str = ""
    reason: str = ""


class ManualState(msgspec.Struct, frozen=True, kw_only=True):
    """A trading state set by hand for everything ("global") or one strategy."""

    scope: str
    state: TradingState
    actor: str = ""
    reason: str = ""


class ControlState(msgspec.Struct, kw_only=True):
    """What is stored."""

    kill: KillSwitch = KillSwitch()
    manual: dict[str, ManualState] = msgspec.field(default_factory=dict)
    restricted: list[str] = msgspec.field(default_factory=list)


class Controls:
    """Keeps the gate's states in line with kill switch, manual states and open breaches, and says what to publish."""

    def __init__(self, gate: Gate, instruments: InstrumentRegistry, state: ControlState) -> None:
        self._gate = gate
        self._instruments = instruments
        self.state = state
        self._configured = frozenset(gate.rules.restricted)
        self._told: dict[str, tuple[str, bool, str]] = {}

    def kill(self, now_ns: int, actor: str, reason: str, *, liquidate: bool = False) -> bool:
        """Engage the kill switch; False where it was engaged before and this asks for no more."""
        known = self.state.kill
        if known.engaged and (known.liquidate or not liquidate):
            return False
        self.state.kill = KillSwitch(engaged=True, liquidate=liquidate, ts_event=now_ns, actor=actor, reason=reason)
        return True

    def lift(self, now_ns: int, actor: str, reason: str) -> bool:
        """Release the kill switch; False where it was not engaged."""
        if not self.state.kill.engaged:
            return False
        self.state.kill = KillSwitch(ts_event=now_ns, actor=actor, reason=reason)
        return True

    def set_manual(self, manual: ManualState) -> None:
        """Set the state of everything or of one strategy by hand; raises Conflict for too many of them."""
        if manual.state == "active":
            self.state.manual.pop(manual.scope, None)
        elif len(self.state.manual) >= MAX_MANUAL_STATES:
            raise Conflict(f"{MAX_MANUAL_STATES} states are set by hand already")
        else:
            self.state.manual[manual.scope] = manual

    def restrict(self, instrument_id: str, restricted: bool) -> None:
        """Put an instrument on the restricted list, or take off one that the configuration does not name."""
        listed = set(self.state.restricted) - {instrument_id}
        self.state.restricted = sorted(listed | {instrument_id} if restricted else listed)

    def apply(self, breaches: list[Breach], now_ns: int) -> list[TradingControl]:
        """Bring the gate in line; returns what the strategy engine must be told, only where something changed."""
        gate, kill = self._gate, self.state.kill
        gate.killed, gate.closing = kill.engaged, kill.liquidate
        gate.restricted = set(self._configured | set(self.state.restricted))
        actions = self._actions(breaches)
        gate.instrument_states = self._instrument_states(actions)
        messages = [self._control("global", actions, now_ns)]
        for account_id, exposure in gate.holdings.accounts.items():
            exposure.state = _STATE_OF_ACTION[actions.get((LimitScope.ACCOUNT, account_id), "alert")]
        wanted = {target for scope, target in actions if scope == LimitScope.STRATEGY}
        wanted |= self.state.manual.keys() - {"global"}
        wanted |= {
            strategy for scope, target in actions if scope == LimitScope.ACCOUNT for strategy in self._of(target)
        }
        wanted |= self._told.keys() - {"global"}
        messages += [self._control(strategy_id, actions, now_ns) for strategy_id in sorted(wanted)]
        return [message for message in messages if message is not None]

    @property
    def halted(self) -> dict[str, str]:
        """State by scope, where it is not active; instruments by their id."""
        holdings = self._gate.holdings
        groups = [holdings.everything, *holdings.accounts.values(), *holdings.strategies.values()]
        return {group.name: group.state for group in groups if group.state != "active"} | self._gate.instrument_states

    def _of(self, account_id: str) -> list[str]:
        return self._gate.holdings.strategies_of(account_id)

    @staticmethod
    def _actions(breaches: list[Breach]) -> dict[tuple[str, str], str]:
        actions: dict[tuple[str, str], str] = {}
        for breach in breaches:
            if breach.is_open and breach.action != "alert":
                key = (breach.scope, breach.target)
                actions[key] = max(actions.get(key, "alert"), breach.action, key=ACTION_RANK.__getitem__)
        return actions

    def _instrument_states(self, actions: dict[tuple[str, str], str]) -> dict[str, str]:
        """State of every instrument that a breach of its own, its sector or its currency holds back."""
        narrow = {LimitScope.INSTRUMENT, LimitScope.SECTOR, LimitScope.CURRENCY}
        if not any(scope in narrow for scope, _ in actions):
            return {}
        states: dict[str, str] = {}
        for instrument in self._instruments:
            found = (
                actions.get((LimitScope.INSTRUMENT, instrument.id), "alert"),
                actions.get((LimitScope.SECTOR, instrument.sector), "alert"),
                actions.get((LimitScope.CURRENCY, instrument.currency), "alert"),
            )
            action = max(found, key=ACTION_RANK.__getitem__)
            if action != "alert":
                states[instrument.id] = _STATE_OF_ACTION[action]
        return states

    def _control(self, scope: str, actions: dict[tuple[str, str], str], now_ns: int) -> TradingControl | None:
        """Set the state of everything or of a strategy: the strictest of what was set by hand and what breaches ask."""
        holdings, kill, manual = self._gate.holdings, self.state.kill, self.state.manual.get(scope)
        own = actions.get((LimitScope.GLOBAL, "") if scope == "global" else (LimitScope.STRATEGY, scope), "alert")
        action = own if scope == "global" else self._with_accounts(own, scope, actions)
        group = holdings.everything if scope == "global" else holdings.strategy(scope)
        group.state = _strictest(own, manual)
        killed = kill.engaged and scope == "global"
        message = TradingControl(
            ts_event=now_ns,
            state="halted" if killed else _strictest(action, manual),
            kill_switch=killed,
            scope=scope,
            action=_todo(kill, action) if scope == "global" else _todo(None, action),
            reason=kill.reason if killed else manual.reason if manual else "" if action == "alert" else "limit broken",
            actor=kill.actor if killed else manual.actor if manual else "risk",
        )
        before, seen = self._told.get(scope, ("active", False, "none")), (message.state, killed, message.action)
        self._told[scope] = seen
        return None if before == seen else message

    def _with_accounts(self, own: str, strategy_id: str, actions: dict[tuple[str, str], str]) -> str:
        """The strongest action on a strategy, those on the accounts in which it trades included."""
        others = [
            action
            for (scope, target), action in actions.items()
            if scope == LimitScope.ACCOUNT and strategy_id in self._of(target)
        ]
        return max([own, *others], key=ACTION_RANK.__getitem__)


def _strictest(action: str, manual: ManualState | None) -> TradingState:
    by_breach, by_hand = _STATE_OF_ACTION[action], manual.state if manual else "active"
    return max(by_breach, by_hand, key=_STRICTNESS.__getitem__)


def _todo(kill: KillSwitch | None, action: str) -> Literal["none", "cancel_all", "liquidate"]:
    if kill is not None and kill.engaged:
        return "liquidate" if kill.liquidate else "cancel_all"
    if action == "liquidate":
        return "liquidate"
    return "cancel_all" if action == "freeze" else "none"
