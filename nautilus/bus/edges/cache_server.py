"""One request to the cache server: bounded in time, and whatever goes wrong with it is one error, Unavailable."""

import asyncio
from collections.abc import Awaitable

from nautilus.bus.edges.connection import failures
from nautilus.errors import Unavailable


async def ask[T](request: Awaitable[T], seconds: float) -> T:
    """The answer to a request; raises Unavailable where there is none within `seconds`, or the server refuses."""
    try:
        async with asyncio.timeout(seconds):
            return await request
    except TimeoutError:
        raise Unavailable(f"the cache server has not answered within {seconds:.3g} s") from None
    except failures() as error:
        raise Unavailable(f"the cache server: {type(error).__name__}: {error}") from error
