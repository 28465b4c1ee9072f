"""A process that answers each quote with a prediction and each stop with its end; the documented calls, nothing else.

python client_echo.py URL INSTANCE
"""

import asyncio
import sys

from nautilus.bus.client import get_dual_bus_client
from nautilus.bus.edges.settings import EdgesConfig, EngineLogicEdge, MarketDataEdge
from nautilus.model.enums import EngineType, MessageType
from nautilus.model.messages import Prediction


async def answer(url: str, instance: str) -> None:
    settings = EdgesConfig(marketdata=MarketDataEdge(url=url), engine_logic=EngineLogicEdge(url=url))
    stopped = asyncio.Event()
    async with await get_dual_bus_client(EngineType.ML, instance, settings=settings) as client:

        async def on_quote(quote, meta):
            prediction = Prediction(
                ts_event=quote.ts_event,
                instrument_id=quote.instrument_id,
                model="echo",
                version=1,
                target="mid_ticks",
                horizon_bars=1,
                value=(quote.bid_ticks + quote.ask_ticks) / 2,
            )
            await client.publish_message(MessageType.ML_PREDICTION, prediction, correlation_id=meta.message_id)

        async def on_alert(alert, meta):
            if alert.code == "stop":
                stopped.set()

        await client.subscribe_to_engine_logic([MessageType.SYSTEM_ALERT], on_alert)
        await client.subscribe_to_marketdata([MessageType.PRICE_UPDATE], on_quote)
        print("ready", flush=True)
        await stopped.wait()
    print("closed", flush=True)


if __name__ == "__main__":
    asyncio.run(answer(sys.argv[1], sys.argv[2]))
