"""Three times the connections without a key that once ended the API, against the real unit and its limit of memory."""

from __future__ import annotations

import threading

import pytest
from support.stack import MIB, Figure
from support.strangers import Strangers
from support.virtual import ADDRESS, Device

pytestmark = [pytest.mark.device, pytest.mark.timeout(7200)]
ASK = f"""
import ssl, time, urllib.request
trusting = ssl._create_unverified_context()
for _ in range(40):
    began = time.monotonic()
    urllib.request.urlopen('https://{ADDRESS}:8000/health', timeout=10, context=trusting).read()
    print(time.monotonic() - began)
    time.sleep(0.2)
"""


def unit(device: Device, name: str) -> int:
    return int(device.shell(f"systemctl show --value --property={name} maie-api.service"))


@pytest.mark.parametrize(("kind", "count"), [("idle", 8700), ("pipelining", 2160)])
def test_strangers_neither_end_the_api_nor_keep_others_out(
    device: Device, kind: str, count: int, figure: Figure
) -> None:
    """The one who asks meanwhile is the device itself: it has another address than the strangers."""
    before, pid = unit(device, "MemoryCurrent"), unit(device, "MainPID")
    most, done = [before], threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            most.append(unit(device, "MemoryCurrent"))

    watching = threading.Thread(target=watch)
    strangers = Strangers(kind, (ADDRESS, 8000), count)
    watching.start()
    try:
        slowest = max(map(float, device.shell(f'python3 -c "{ASK}"').split()))
    finally:
        done.set()
        watching.join()
        opened = strangers.end()
    share = max(most) / unit(device, "MemoryMax")
    figure(
        f"{opened} {kind} connections: {max(most) / MIB:.0f} MiB at most ({before / MIB:.0f} before), "
        f"{share:.0%} of the limit; others waited {slowest:.2f} s at most"
    )
    assert slowest <= 2
    assert share <= 0.6
    assert unit(device, "MainPID") == pid
