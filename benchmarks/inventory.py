"""What counting free GPUs costs in a large cluster: `python -m benchmarks.inventory` prints figures and judges nothing.

A server in a process of its own hands out pages of Node and Pod objects as large as real ones; the controller's eyes
read them as they do in a cluster.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from aiohttp import web

from benchmarks.figures import say
from dgdr_operator.controller.cluster import PAGE, Cluster
from dgdr_operator.controller.discovery import Discovery

NODE_BYTES, POD_BYTES = 13_000, 8_000
"""Size of an object as kubelets and common operators leave it, with its labels, images and managed fields."""
TICK = 0.005

Object = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=5000, help="nodes with eight GPUs each (default %(default)s)")
    parser.add_argument("--pods", type=int, default=50_000, help="pods, every fifth with a GPU (default %(default)s)")
    chosen = parser.parse_args(arguments)
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there, chosen.nodes, chosen.pods))
    server.start()
    try:
        with tempfile.TemporaryDirectory(prefix="dgdr-") as folder:
            os.environ["KUBECONFIG"] = kubeconfig(Path(folder), here.recv())
            asyncio.run(look(chosen.nodes, chosen.pods))
    finally:
        server.terminate()
        server.join()
    return 0


async def look(nodes: int, pods: int) -> None:
    """One look at everything, and one at the nodes alone."""
    cluster = await Cluster.connect()
    try:
        counting = Discovery(cluster, lambda _: None, waiting=lambda: False)
        before = resident()
        for what in (f"{nodes} nodes and {pods} pods", f"{nodes} nodes, no request waiting"):
            lag = asyncio.create_task(latest())
            began, spent = time.monotonic(), time.process_time()
            await counting.look()
            wall, cpu = time.monotonic() - began, time.process_time() - spent
            lag.cancel()
            say(f"{what}: {wall:.2f} s, {cpu:.2f} s of it ours, others waited at most {await worst(lag) * 1e3:.0f} ms")
        found = counting.inventory
        free = sum(group.free_gpus for group in found.groups) if found else 0
        say(f"memory: {before:.0f} MiB before, {resident():.0f} MiB at the most; {free} GPUs free")
    finally:
        await cluster.close()


LAGS: list[float] = []


async def latest() -> None:
    """Notes how late the event loop comes back, for as long as it is let."""
    LAGS.clear()
    while True:
        began = time.monotonic()
        await asyncio.sleep(TICK)
        LAGS.append(time.monotonic() - began - TICK)


async def worst(watch: asyncio.Task[None]) -> float:
    """The longest of the notes."""
    await asyncio.gather(watch, return_exceptions=True)
    return max(LAGS, default=0.0)


def resident() -> float:
    """The most memory this process ever had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(told: Connection, nodes: int, pods: int) -> None:
    """Hands out the pages over HTTP, each made once; tells its address through *told*."""
    pages = {
        "nodes": list(paged(node(index) for index in range(nodes))),
        "pods": list(paged(pod(index, nodes) for index in range(pods))),
        "resourcequotas": [page([], "")],
    }

    async def answer(request: web.Request) -> web.Response:
        found = pages[request.path.rpartition("/")[2]]
        return web.Response(body=found[int(request.query.get("continue", "0"))], content_type="application/json")

    async def run() -> None:
        application = web.Application()
        application.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        told.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


def paged(objects: Iterator[Object]) -> Iterator[bytes]:
    """The answers to one list, a page each."""
    listed = list(objects)
    pages = [listed[start : start + PAGE] for start in range(0, len(listed), PAGE)]
    for number, items in enumerate(pages, 1):
        yield page(items, str(number) if number < len(pages) else "")


def page(items: list[Object], following: str) -> bytes:
    """One answer."""
    return json.dumps({"metadata": {"resourceVersion": "1", "continue": following}, "items": items}).encode()


def node(index: int) -> Object:
    """A server with eight H200."""
    labels = {"nvidia.com/gpu.present": "true", "nvidia.com/gpu.product": "NVIDIA-H200"}
    ready = {"type": "Ready", "status": "True"}
    status = {"allocatable": {"nvidia.com/gpu": "8", "rdma/ib": "8"}, "conditions": [ready]}
    return filled({"metadata": {"name": f"gpu-{index}", "labels": labels}, "spec": {}, "status": status}, NODE_BYTES)


def pod(index: int, nodes: int) -> Object:
    """A pod; every fifth holds a GPU, spread over the nodes."""
    limits = {"nvidia.com/gpu": "1"} if index % 5 == 0 else {"cpu": "1"}
    spec = {
        "nodeName": f"gpu-{index // 5 % nodes}",
        "containers": [{"name": "main", "resources": {"requests": limits}}],
    }
    metadata = {"name": f"pod-{index}", "namespace": "team", "labels": {"app": "training"}}
    return filled({"metadata": metadata, "spec": spec, "status": {"phase": "Running"}}, POD_BYTES)


def filled(body: Object, size: int) -> Object:
    """*body* with as many small fields as make it so large."""
    parts = (size - len(json.dumps(body))) // 60
    body["metadata"]["managedFields"] = [
        {"manager": f"kubelet-{part:04}", "operation": "Update"} for part in range(parts)
    ]
    return body


def kubeconfig(folder: Path, port: int) -> str:
    """The way to the server."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bench",
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "clusters": [{"name": "bench", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "bench", "user": {"token": "none"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return str(path)


if __name__ == "__main__":
    sys.exit(main())
