"""A program of its own that listens to a running Nautilus over WebSocket until it has seen enough.

nautilus serve                                            # in one terminal
python examples/websocket_client.py [url] [messages]      # in another
"""

import asyncio
import sys
from collections import Counter
from typing import Any

import msgspec
from websockets.asyncio.client import connect

URL = "ws://127.0.0.1:8001/websocket/stream"
PATTERNS = ["quote.>", "trade.>"]


def show(message: dict[str, Any]) -> None:
    data = message["data"]
    if message["topic"].startswith("quote."):
        print(f"quote {data['instrument_id']}: {data['bid']} bid, {data['ask']} asked")
    else:
        side = {1: "a buyer", -1: "a seller"}.get(data["aggressor"], "either side")
        print(f"trade {data['instrument_id']}: {data['size']:g} at {data['price']}, taken by {side}")


async def main(url: str, wanted: int) -> None:
    seen: Counter[str] = Counter()
    async with connect(url) as socket:
        await socket.send(msgspec.json.encode({"op": "subscribe", "topics": PATTERNS}).decode())
        while seen.total() < wanted:
            frame = msgspec.json.decode(await socket.recv())
            match frame["type"]:
                case "welcome":
                    print(f"connected: {frame['source']} (quality: {frame['quality']})")
                case "subscribed":
                    print(f"subscribed to {', '.join(frame['topics'])}")
                case "gap":
                    print(f"{frame['dropped']} events are missing: {frame['reason']}")
                case "error":
                    sys.exit(f"{frame['title']}: {frame['detail']}")
                case "data":
                    for message in frame["messages"]:
                        family = message["topic"].partition(".")[0]
                        if not seen[family]:
                            show(message)
                        seen[family] += 1
    print(f"received {seen['quote']} quotes and {seen['trade']} trades")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else URL, int(sys.argv[2]) if len(sys.argv) > 2 else 200))
