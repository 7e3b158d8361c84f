"""``python -m tests.benchmarks.paths_server FOLDER ADDRESS PORT``: SeaweedFS that is reached at another address.

It listens on loopback alone, so that a relay passes on what comes. Prints its credentials as JSON; ends with its
standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path

from xsync_tui.demo.server import s3_client, s3_server

_CHUNK = 256 << 10


async def _serve(address: str, port: int, target: int) -> None:
    async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            to, out = await asyncio.open_connection("127.0.0.1", target)
            await asyncio.gather(_pump(reader, out), _pump(to, writer))

    server = await asyncio.start_server(joined, address, port)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


def main(folder: str, address: str, port: str) -> None:
    """Serve until nobody holds the standard input open any more."""
    with s3_server(Path(folder)) as server:
        client = s3_client(server)
        client.create_bucket(Bucket="bench")
        client.close()
        keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
        print(json.dumps(keys), flush=True)
        asyncio.run(_serve(address, int(port), int(server.endpoint_url.rpartition(":")[2])))


if __name__ == "__main__":
    main(*sys.argv[1:])
