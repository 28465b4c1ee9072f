"""A process that contends for a lease and notes each moment at which it believed that it held it.

python lease_contender.py URL NAME OWNER TTL_SECONDS FILE
"""

import asyncio
import os
import sys

from nautilus.bus.edges.connection import open_client
from nautilus.bus.edges.lease import Lease, elapsed_seconds
from nautilus.bus.edges.settings import ServerSettings


async def contend(url: str, name: str, owner: str, ttl_seconds: float, file: str) -> None:
    connection = await open_client(ServerSettings(url=url), name=owner)
    lease = Lease(connection, name, owner, ttl_seconds=ttl_seconds)
    notes = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    lease.start()
    print("started", flush=True)
    while True:
        moment = elapsed_seconds()
        if token := lease.token:
            os.write(notes, f"{moment:.9f} {token} {owner}\n".encode())
        await asyncio.sleep(0.002)


if __name__ == "__main__":
    asyncio.run(contend(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), sys.argv[5]))
