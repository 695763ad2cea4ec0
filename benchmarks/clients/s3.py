"""One client doing one thing with S3, measured; `benchmarks/s3.py` runs it in a process each.

    python benchmarks/clients/s3.py CLIENT CASE BUCKET NUMBER SIZE

It prints, as JSON, what the work itself took, without imports: seconds of CPU in this process and
its children, of the clock on the wall, and the largest resident size of any one of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

AT_A_TIME = 16
"""Requests in flight, where a client lets one choose."""


def flowkit(bucket: str, keys: list[str], data: bytes) -> dict[str, Callable[[], int]]:
    from flowkit import S3

    os.environ["FLOWKIT_S3_WORKERS"] = str(AT_A_TIME)
    s3 = S3(s3root=f"s3://{bucket}")
    return {
        "get": lambda: sum(len(one.buffer or b"") for one in s3.iter_many(keys)),
        "get-blob": lambda: sum(len(one.blob or b"") for one in s3.iter_many(keys)),
        "put": lambda: len(s3.put_many([(key, data) for key in keys])) * len(data),
    }


def obstore(bucket: str, keys: list[str], data: bytes) -> dict[str, Callable[[], int]]:
    import obstore
    from obstore.store import S3Store

    store = S3Store(bucket, client_options={"allow_http": True})

    def get(key: str) -> int:
        return len(obstore.get(store, key).bytes())

    def get_blob(key: str) -> int:
        return len(obstore.get(store, key).bytes().to_bytes())

    def put(key: str) -> int:
        obstore.put(store, key, data)
        return len(data)

    return {
        "get": lambda: in_threads(get, keys),
        "get-blob": lambda: in_threads(get_blob, keys),
        "put": lambda: in_threads(put, keys),
    }


def obstore_async(bucket: str, keys: list[str], data: bytes) -> dict[str, Callable[[], int]]:
    import obstore
    from obstore.store import S3Store

    store = S3Store(bucket, client_options={"allow_http": True})

    async def get(key: str) -> int:
        return len(await (await obstore.get_async(store, key)).bytes_async())

    async def get_blob(key: str) -> int:
        return len((await (await obstore.get_async(store, key)).bytes_async()).to_bytes())

    async def put(key: str) -> int:
        await obstore.put_async(store, key, data)
        return len(data)

    async def all_of(do: Callable[[str], object]) -> int:
        free = asyncio.Semaphore(AT_A_TIME)

        async def one(key: str) -> int:
            async with free:
                return await do(key)

        return sum(await asyncio.gather(*map(one, keys)))

    return {
        "get": lambda: asyncio.run(all_of(get)),
        "get-blob": lambda: asyncio.run(all_of(get_blob)),
        "put": lambda: asyncio.run(all_of(put)),
    }


def boto3(bucket: str, keys: list[str], data: bytes) -> dict[str, Callable[[], int]]:
    import boto3
    from botocore.config import Config

    client = boto3.client("s3", config=Config(max_pool_connections=AT_A_TIME))

    def get(key: str) -> int:
        return len(client.get_object(Bucket=bucket, Key=key)["Body"].read())

    def put(key: str) -> int:
        client.put_object(Bucket=bucket, Key=key, Body=data)
        return len(data)

    return {
        "get": lambda: in_threads(get, keys),
        "get-blob": lambda: in_threads(get, keys),
        "put": lambda: in_threads(put, keys),
    }


def metaflow(bucket: str, keys: list[str], data: bytes) -> dict[str, Callable[[], int]]:
    os.environ["METAFLOW_S3_ENDPOINT_URL"] = os.environ["AWS_ENDPOINT_URL"]
    os.environ["METAFLOW_DEFAULT_DATASTORE"] = "s3"
    from metaflow import S3

    s3 = S3(s3root=f"s3://{bucket}", tmproot=os.environ.get("TMPDIR", "/tmp"))

    def get() -> int:
        return sum(len(one.blob) for one in s3.get_many(keys))

    return {
        "get": get,
        "get-blob": get,
        "put": lambda: len(s3.put_many([(key, data) for key in keys])) * len(data),
    }


CLIENTS = {
    "flowkit": flowkit,
    "obstore": obstore,
    "obstore-async": obstore_async,
    "boto3": boto3,
    "metaflow": metaflow,
}


def in_threads(do: Callable[[str], int], keys: list[str]) -> int:
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return sum(pool.map(do, keys))


def cpu_s() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Do it, and print what it took."""
    client, case, bucket, number, size = sys.argv[1:]
    keys = [f"{size}/{at:05}" for at in range(int(number))]
    data = os.urandom(int(size)) if case == "put" else b""
    work = CLIENTS[client](bucket, keys, data)[case]
    cpu_before, began = cpu_s(), time.perf_counter()
    moved = work()
    wall_s, used_s = time.perf_counter() - began, cpu_s() - cpu_before
    assert moved == int(size) * len(keys), f"{moved} bytes came"
    peak = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    taken = {"cpu_s": used_s, "wall_s": wall_s, "memory_bytes": peak * 1024}
    print(json.dumps(taken), flush=True)
    # obstore's awaitable calls abort some processes as they end: nothing of that is measured.
    os._exit(0)


if __name__ == "__main__":
    main()
