"""Live data for browsers and programs: topics over WebSocket, conflated or queued, never in anybody's way."""

from nautilus.engines.websocket.delivery import DELIVERIES, Delivery, topic_of
from nautilus.engines.websocket.wire import human

__all__ = ["DELIVERIES", "Delivery", "human", "topic_of"]
