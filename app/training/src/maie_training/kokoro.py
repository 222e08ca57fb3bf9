"""Speak text with the natural voices of Kokoro-82M."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from maie_training.speech import SAMPLE_RATE, Samples, SpeechError, level, trim
from maie_training.talk import Speaker

MODEL = Path("kokoro-82m/model.onnx")
VOICES = Path("kokoro-voices")
_STYLES_SHAPE = (-1, 1, 256)


class Kokoro:
    """The synthesiser with some voices.

    Args:
        models: Folder with what ``app/training/kokoro.yml`` fetched.
        voices: Names of the voices.
        kept: Folder that keeps what was spoken, so that a change of one turn has only that one spoken
            anew; None keeps nothing.

    Raises:
        SpeechError: The model, a voice or the package that runs them is missing.
    """

    def __init__(self, models: Path, voices: Iterable[str], kept: Path | None = None) -> None:
        try:
            import kokoro_onnx
        except ImportError as error:
            raise SpeechError("kokoro-onnx is missing: pip install 'maie-training[samples]'") from error
        paths = {voice: models / VOICES / f"{voice}.bin" for voice in voices}
        missing = [str(path) for path in (models / MODEL, *paths.values()) if not path.is_file()]
        if missing:
            raise SpeechError(f"{', '.join(missing)} missing: run ansible-playbook app/training/kokoro.yml")
        styles: dict[str, Any] = {
            voice: np.fromfile(path, "<f4").reshape(_STYLES_SHAPE) for voice, path in paths.items()
        }
        with tempfile.NamedTemporaryFile(suffix=".npz") as file:
            np.savez(file, **styles)
            file.flush()
            self._engine = kokoro_onnx.Kokoro(str(models / MODEL), file.name)
        self._styles = styles
        self._kept = kept
        if kept:
            kept.mkdir(parents=True, exist_ok=True)

    def speak(self, text: str, speaker: Speaker) -> Samples:
        """Return ``text`` spoken: float32 samples in -1..1 at 16 kHz, without silence at the ends."""
        return level(trim(self._spoken(text, speaker)), speaker.gain_db)

    def _spoken(self, text: str, speaker: Speaker) -> Samples:
        key = hashlib.sha256(f"{speaker.voice} {speaker.speed} {text}".encode()).hexdigest()
        path = self._kept / f"{key}.npy" if self._kept else None
        if path and path.is_file():
            return np.asarray(np.load(path), dtype=np.float32)
        samples, rate = self._engine.create(text, self._styles[speaker.voice], speed=speaker.speed, lang="en-us")
        speech: Samples = soxr.resample(samples, rate, SAMPLE_RATE)
        if path:
            np.save(path, speech)
        return speech
