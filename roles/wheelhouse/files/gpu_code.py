"""Which GPUs a library carries code for, read from the library itself.

nvcc puts its output into the ELF section ``.nv_fatbin``: containers of a header (magic, version, length of the header,
length of what follows) and entries (kind, length of the header, length of the content, compute capability), PTX being
kind 1 and machine code kind 2. Compression concerns the content only, so nothing has to be unpacked.
"""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

ELF_MAGIC = b"\x7fELF\x02\x01"
"""Of a 64-bit, little-endian file."""

SECTIONS = (b".nv_fatbin", b"__nv_relfatbin")
CONTAINER_MAGIC = 0xBA55ED50
CONTAINER = struct.Struct("<IHHQ")
ENTRY = struct.Struct("<HHIQIIHHI")
KINDS = {1: "compute", 2: "sm"}


def sections(data: bytes) -> dict[bytes, bytes]:
    """Return the sections of an ELF file by name; empty for another file."""
    if not data.startswith(ELF_MAGIC):
        return {}
    offset = struct.unpack_from("<Q", data, 0x28)[0]
    size, count, names_at = struct.unpack_from("<HHH", data, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", data, offset + number * size) for number in range(count)]
    names = data[headers[names_at][4] :] if headers else b""
    return {names[at[0] : names.index(b"\0", at[0])]: data[at[4] : at[4] + at[5]] for at in headers}


def architectures(data: bytes) -> Counter[str]:
    """Return how many pieces a library has for each architecture: ``sm_87`` machine code, ``compute_87`` PTX."""
    found: Counter[str] = Counter()
    present = sections(data)
    for name in SECTIONS:
        count(present.get(name, b""), found)
    return found


def count(section: bytes, found: Counter[str]) -> None:
    """Count the entries of all containers of a section."""
    at = 0
    while at + CONTAINER.size <= len(section):
        magic, _, header, length = CONTAINER.unpack_from(section, at)
        if magic != CONTAINER_MAGIC:
            # Containers are aligned; what is between two is zeros.
            at += 8
            continue
        entry, end = at + header, min(at + header + length, len(section))
        while entry + ENTRY.size <= end:
            kind, _, size, content, _, _, _, _, arch = ENTRY.unpack_from(section, entry)
            if kind in KINDS:
                found[f"{KINDS[kind]}_{arch}"] += 1
            entry += max(size + content, ENTRY.size)
        at = end


def of_folder(folder: Path) -> Counter[str]:
    """Return the sum over all shared libraries below a folder."""
    total: Counter[str] = Counter()
    for path in folder.rglob("*.so*"):
        if path.is_file() and not path.is_symlink():
            total += architectures(path.read_bytes())
    return total
