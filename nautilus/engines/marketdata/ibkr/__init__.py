"""Interactive Brokers as a source of market data: a line that never lets go, and model events out of it.

settings        every limit and time-out
line            one TCP line through ib_async, and what comes on it that is no message
connection      line after line: heartbeat, death, backoff, client ids
connectivity    TWS's notices about its servers and farms, as a pure state machine
staleness       each subscription's own watchdog
*_stream        messages of one kind of subscription to model events; depth_book is the rows behind depth
feed            desired subscriptions over all of it

It needs ib_async, which is imported when the first line is opened.
"""

from nautilus.engines.marketdata.ibkr.contracts import IbkrContract
from nautilus.engines.marketdata.ibkr.feed import IbkrFeed
from nautilus.engines.marketdata.ibkr.quiet_hours import QuietHours
from nautilus.engines.marketdata.ibkr.report import IbkrReport
from nautilus.engines.marketdata.ibkr.settings import IbkrSettings
from nautilus.engines.marketdata.ibkr.subscriptions import Kind

__all__ = ["IbkrContract", "IbkrFeed", "IbkrReport", "IbkrSettings", "Kind", "QuietHours"]
