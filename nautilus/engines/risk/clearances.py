"""Clearances: proof that the gate has passed a command, honoured once and for that very command."""

from nautilus.model.messages import Clearance, OrderCommand

MAX_OUTSTANDING = 100_000


class Clearances:
    """The clearances given and not yet redeemed; the oldest lapse beyond 100,000.

    >>> from nautilus.model.orders import CancelOrder
    >>> clearances = Clearances()
    >>> clearance = clearances.give(CancelOrder(client_order_id="a-1"))
    >>> clearances.redeem(clearance), clearances.redeem(clearance)
    (True, False)
    """

    __slots__ = ("_next", "_outstanding")

    def __init__(self) -> None:
        self._next = 0
        self._outstanding: dict[int, Clearance] = {}

    def give(self, command: OrderCommand) -> Clearance:
        """A new clearance for a command that has passed."""
        self._next += 1
        clearance = Clearance(clearance_id=self._next, command=command)
        self._outstanding[self._next] = clearance
        if len(self._outstanding) > MAX_OUTSTANDING:
            del self._outstanding[next(iter(self._outstanding))]
        return clearance

    def redeem(self, clearance: Clearance) -> bool:
        """Whether this very object was given and not redeemed before; a copy or an imitation is worth nothing."""
        known = self._outstanding.get(clearance.clearance_id)
        if known is not clearance:
            return False
        del self._outstanding[clearance.clearance_id]
        return True
