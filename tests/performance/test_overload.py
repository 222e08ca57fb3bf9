"""Ten times the queue's capacity, for a minute: what is accepted gets done, the rest is told so at once."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from support.processes import rss, wait_for
from support.stack import KEY, Figure, Stack

SECONDS = float(os.environ.get("OVERLOAD_SECONDS", "60"))
CAPACITY = 5
CLIENTS = 10 * CAPACITY
PAUSE_SECONDS = 1.0
"""Between two requests of one client: each asks far more often than it was told to."""

REFUSAL_P99_SECONDS = 0.1
WARM_UP_TASKS = 4
GROWTH_BYTES = 32 * 1024**2
"""How much higher a process may stand at its peak in the second half of the load than at its peak in the first: less
than one upload per hundred. Peaks, because the engine's allocator gives back and takes again by the batch."""


@dataclass
class Load:
    """What the clients saw."""

    accepted: list[str] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    retry_after: set[int] = field(default_factory=set)
    others: list[str] = field(default_factory=list)


async def client(number: int, stack: Stack, request: bytes, end: float, load: Load) -> None:
    await asyncio.sleep(PAUSE_SECONDS * number / CLIENTS)
    while time.monotonic() < end:
        started = time.perf_counter()
        status, headers, body = await exchange(stack.port, request)
        seconds = time.perf_counter() - started
        if status == 202:
            load.accepted.append(json.loads(body)["task_id"])
        elif status == 429:
            load.refusals.append(seconds)
            load.retry_after.add(int(headers["retry-after"]))
        else:
            load.others.append(body.decode())
        await asyncio.sleep(PAUSE_SECONDS)


async def exchange(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own, by hand: an HTTP library would take most of the machine for itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
    status_line, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    writer.close()
    return int(status_line.split()[1]), headers, body


def upload(audio: bytes) -> bytes:
    """The whole request of one upload."""
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + audio + b"\r\n--b--\r\n"
    head = f"POST /v1/process HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\nContent-Length: {len(form)}\r\n"
    return head.encode() + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + form


def memory(stack: Stack) -> dict[str, int]:
    """Resident bytes of each process."""
    api, worker = stack.unit("api").process, stack.unit("worker").process
    engine = max(worker.children(), key=rss)
    return {"api": rss(api.popen.pid), "worker": rss(worker.popen.pid), "engine": rss(engine)}


async def peaks(stack: Stack, end: float) -> dict[str, int]:
    """Watch the memory until ``end``; return the highest of each process."""
    highest = memory(stack)
    while time.monotonic() < end:
        await asyncio.sleep(0.5)
        highest = {name: max(size, highest[name]) for name, size in memory(stack).items()}
    return highest


async def offer(stack: Stack, audio: bytes, load: Load) -> dict[str, int]:
    """Offer the load; return by how much each process grew from its first half to its second."""
    begin = time.monotonic()
    request = upload(audio)
    end = begin + SECONDS
    clients = [asyncio.create_task(client(number, stack, request, end, load)) for number in range(CLIENTS)]
    first = await peaks(stack, begin + SECONDS / 2)
    second = await peaks(stack, end)
    await asyncio.gather(*clients)
    return {name: size - first[name] for name, size in second.items()}


def test_overload(own_stack: Callable[..., Stack], speech: Callable[[float], bytes], figure: Figure) -> None:
    stack = own_stack(queue_capacity=CAPACITY, asr_threads=os.cpu_count())
    stack.start("api", "worker")
    sample = stack.wait_final(stack.post(speech(10)).json()["task_id"])
    audio = speech(min(120, max(3, 2.0 / sample["metrics"]["rtf"])))
    for _ in range(WARM_UP_TASKS):
        stack.wait_final(stack.post(audio).json()["task_id"])
    load = Load()
    grown = asyncio.run(offer(stack, audio, load))
    states = [stack.wait_final(task_id)["status"] for task_id in load.accepted]
    refusals = sorted(load.refusals)
    p99 = refusals[int(len(refusals) * 0.99)]
    figure(
        f"{CLIENTS} clients, {SECONDS:.0f} s, {len(audio) / 1024:.0f} KiB each: {len(load.accepted)} accepted, "
        f"{states.count('COMPLETE')} complete; {len(refusals)} refused, "
        f"p50 {refusals[len(refusals) // 2] * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, "
        f"most {refusals[-1] * 1000:.1f} ms, Retry-After {sorted(load.retry_after)} s; "
        f"grown by { ({name: f'{size / 1024**2:.1f} MiB' for name, size in grown.items()}) }"
    )
    assert not load.others
    assert len(load.accepted) > CAPACITY
    assert states == ["COMPLETE"] * len(load.accepted)
    assert len(refusals) > SECONDS * 10
    assert min(load.retry_after) >= 1
    assert p99 <= REFUSAL_P99_SECONDS
    assert max(grown.values()) < GROWTH_BYTES
    wait_for(lambda: not stack.uploads(), 60, "removal of the last upload, which comes after its task's end")
