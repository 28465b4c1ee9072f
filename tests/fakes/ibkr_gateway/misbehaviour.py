"""Everything a real gateway does wrong, at a script's word."""

import asyncio

from tests.fakes.ibkr_gateway.codes import RESTORING, text_of
from tests.fakes.ibkr_gateway.core import Core
from tests.fakes.ibkr_gateway.requests import Request

# what stops while a farm is down; an inactive market data farm (2108) is only asleep
STOPS = {2103: "market", 2105: "historical", 2157: "definitions"}


class Misbehaviour(Core):
    """Cuts, silence, lateness, garbage, notices and refusals."""

    def cut(self, client_id: int | None = None, *, reset: bool = False) -> int:
        """Close the connections of one client, or all; with a reset what was not yet delivered is lost."""
        cut = self.sessions(client_id)
        for session in cut:
            session.close(reset=reset)
        return len(cut)

    def go_silent(self, client_id: int | None = None) -> None:
        """Send nothing more, to one connected client or to anybody, and keep every connection open."""
        if client_id is None:
            self.silent = True
        for session in self.sessions(client_id):
            session.silent = True

    def speak(self) -> None:
        """End the silence; what was not said stays unsaid."""
        self.silent = False
        for session in self.sessions():
            session.silent = False

    def stall(self, name: str | int, kind: type[Request] | None = None) -> int:
        """What is subscribed to of an instrument now gets no more, without a word; subscribing again works."""
        stalled = self.subscriptions(name, kind)
        for subscription in stalled:
            subscription.stalled = True
        return len(stalled)

    def slow(self, milliseconds: float) -> None:
        """Everything sent from now on arrives so much later, in order; 0 ends it."""
        assert milliseconds >= 0, "milliseconds must not be negative"
        self.delay = milliseconds / 1000

    def garbage(self, data: bytes, client_id: int | None = None) -> None:
        """Bytes that are no message, into the stream."""
        for session in self.sessions(client_id):
            session.send_bytes(data)

    def send_raw(self, *fields: str | float | bool | None, client_id: int | None = None) -> int:
        """One framed message of any fields."""
        return sum(session.send(*fields) for session in self.sessions(client_id))

    def send_error(
        self, code: int, text: str = "", *, request_id: int = -1, client_id: int | None = None, farm: str = ""
    ) -> int:
        """A notice or an error, without any other effect."""
        said = text or text_of(code, farm)
        return sum(self.error(session, request_id, code, said) for session in self.sessions(client_id))

    def fail_next(self, kind: type[Request], code: int, text: str = "", times: int = 1) -> None:
        """The next requests of a kind get an error for an answer."""
        self._failures[kind].extend([(code, text or text_of(code))] * times)

    def connectivity_lost(self, code: int = 1100) -> None:
        """TWS lost IBKR (2110 says so too): neither data nor news of orders, while TWS still answers."""
        assert code in {1100, 2110}, "connectivity is lost with 1100 or 2110"
        self.send_error(code)
        self.outages.add("connectivity")

    def connectivity_restored(self, *, data_lost: bool) -> None:
        """1101: clients must subscribe again; 1102: data goes on."""
        self.outages.discard("connectivity")
        if data_lost:
            for session in self.sessions():
                session.subscriptions.clear()
        self.send_error(1101 if data_lost else 1102)

    def farm_broken(self, farm: str = "", code: int = 2103) -> None:
        """A data farm goes: market data (2103), historical (2105), definitions (2157); 2108 only says inactive."""
        assert code in {*STOPS, 2108}, "a farm breaks with 2103, 2105, 2108 or 2157"
        self.send_error(code, farm=farm)
        if code in STOPS:
            self.outages.add(STOPS[code])

    def farm_ok(self, farm: str = "", code: int = 2104) -> None:
        """A data farm is back: 2104, 2106 or 2158."""
        assert code in RESTORING.values(), "a farm comes back with 2104, 2106 or 2158"
        self.outages -= {stops for broken, stops in STOPS.items() if RESTORING[broken] == code}
        self.send_error(code, farm=farm)

    def occupy_client_id(self, client_id: int) -> None:
        """Somebody else has this id, or TWS has not noticed yet that its owner is gone."""
        self.occupied_ids.add(client_id)

    def release_client_id(self, client_id: int) -> None:
        """The id is free again."""
        self.occupied_ids.discard(client_id)

    async def restart(self, down_seconds: float) -> None:
        """The nightly restart: connections end, new ones are refused for so long; orders and positions survive."""
        self.refuse()
        await asyncio.sleep(down_seconds)
        await self.accept()
