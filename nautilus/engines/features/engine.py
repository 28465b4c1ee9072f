"""The features engine: streaming features of every instrument, published as one vector at the close of every bar."""

from collections import deque

from nautilus.engines.base import Engine
from nautilus.engines.features.arithmetic import logarithm
from nautilus.engines.features.compute import defined
from nautilus.engines.features.dependence import weighted_window
from nautilus.engines.features.feature_set import FeatureSet, SetMember, members
from nautilus.engines.features.live_features import LiveFeatures
from nautilus.engines.features.models import FeatureEntry, FeaturesConfig, VectorHistory
from nautilus.engines.features.realised import realised_kernel_path
from nautilus.engines.features.registry import registry
from nautilus.engines.features.rolling_sum import rolling_sum
from nautilus.engines.features.routes import features_routes
from nautilus.engines.features.set_library import SetLibrary
from nautilus.engines.operation import Operation
from nautilus.errors import NotReady
from nautilus.model import topics
from nautilus.model.enums import EngineType
from nautilus.model.market import Bar, BookDepth, Quote, Trade
from nautilus.model.messages import FeatureVector

TICKS_WITHOUT_BARS = 1_000
"""After so many quotes and trades without a bar something is wrong with the bars."""


def _entries() -> dict[str, FeatureEntry]:
    return {name: FeatureEntry.of(known) for name, known in registry().items()}


class FeaturesEngine(Engine[FeaturesConfig]):
    """Keeps the active feature set of every instrument up to date; ticks come in, vectors go out at bar closes."""

    name = "features"
    prefix = "/features"
    engine_type = EngineType.FEATURES
    config_type = FeaturesConfig
    depends_on = ("marketdata",)
    kernels = (logarithm, rolling_sum, realised_kernel_path, weighted_window)

    async def setup(self) -> None:
        """Import TA-Lib off the loop, take the set in use, listen to quotes, trades, depth and bars."""
        self.entries = await self.accel.run(_entries)
        self.library = SetLibrary(self.store.state)
        self._start_set(self.library.active())
        self.subscribe(topics.ALL_QUOTES, self.on_quote)
        self.subscribe(topics.ALL_TRADES, self.on_trade)
        self.subscribe(topics.ALL_DEPTHS, self.on_depth)
        self.subscribe(topics.bars(self.config.bar_spec), self.on_bar)

    def routes(self) -> list[Operation]:
        """HTTP operations below /features."""
        return features_routes(self)

    def degraded(self) -> list[str]:
        """Ticks without bars: the configured bars are not made."""
        if self._ticks_since_bar < TICKS_WITHOUT_BARS:
            return []
        return [f"{self._ticks_since_bar} quotes and trades since the last bar of {self.config.bar_spec}"]

    # -- market data ---------------------------------------------------------------------------------------------

    def on_quote(self, quote: Quote) -> None:
        """Take a quote."""
        if live := self._live.get(quote.instrument_id) or self._open(quote.instrument_id):
            self._ticks_since_bar += 1
            live.on_quote(quote)

    def on_trade(self, trade: Trade) -> None:
        """Take a trade."""
        if live := self._live.get(trade.instrument_id) or self._open(trade.instrument_id):
            self._ticks_since_bar += 1
            live.on_trade(trade)

    def on_depth(self, depth: BookDepth) -> None:
        """Take the top of a book."""
        if live := self._live.get(depth.instrument_id) or self._open(depth.instrument_id):
            live.on_depth(depth)

    def on_bar(self, bar: Bar) -> None:
        """Take a bar and publish the vector at its close."""
        live = self._live.get(bar.instrument_id) or self._open(bar.instrument_id)
        if live is None:
            return
        self._ticks_since_bar = 0
        vector = FeatureVector(
            ts_event=bar.ts_event,
            instrument_id=bar.instrument_id,
            feature_set=self.active.key,
            names=self._names,
            values=defined(live.on_bar(bar)),
        )
        self._history[bar.instrument_id].append(vector)
        self.publish(topics.features(bar.instrument_id), vector)

    def _open(self, instrument_id: str) -> LiveFeatures | None:
        """Begin with an instrument; one that the node does not know is left alone."""
        instrument = self.instruments.get(instrument_id)
        if instrument is None:
            return None
        live = self._live[instrument_id] = LiveFeatures(instrument, self._members)
        self._history[instrument_id] = deque(maxlen=self.config.history)
        return live

    # -- feature sets --------------------------------------------------------------------------------------------

    def use_set(self, name: str, version: int) -> FeatureSet:
        """Use another stored set from now on; every instrument warms up anew. Raises NotFound."""
        chosen = self.library.get(name, version)
        if chosen != self.active:
            self._start_set(chosen)
            self.library.choose(chosen)
        return chosen

    def _start_set(self, feature_set: FeatureSet) -> None:
        self._members: tuple[SetMember, ...] = members(feature_set)
        self.active = feature_set
        self._names = tuple(member.label for member in self._members)
        self._live: dict[str, LiveFeatures] = {}
        self._history: dict[str, deque[FeatureVector]] = {}
        self._ticks_since_bar = 0

    # -- questions -----------------------------------------------------------------------------------------------

    def latest(self, instrument_id: str) -> FeatureVector:
        """The newest vector of an instrument; raises NotFound, and NotReady before its first bar."""
        return self._vectors(instrument_id)[-1]

    def history(self, instrument_id: str, limit: int) -> VectorHistory:
        """The last vectors of an instrument, at most `limit`; raises NotFound, and NotReady before its first bar."""
        vectors = list(self._vectors(instrument_id))[-limit:]
        return VectorHistory(
            instrument_id,
            self.active.key,
            self._names,
            [vector.ts_event for vector in vectors],
            [vector.values for vector in vectors],
        )

    def _vectors(self, instrument_id: str) -> "deque[FeatureVector]":
        vectors = self._history.get(self.instruments[instrument_id].id)
        if not vectors:
            raise NotReady(f"no {self.config.bar_spec} bar of {instrument_id} has closed yet")
        return vectors
