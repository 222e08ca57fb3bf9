"""Speech recognition by a server with OpenAI's ``/audio/transcriptions``: whisper.cpp, vLLM, Riva, a cloud.

Each piece is sent as a WAV file made in memory; what is not speech never leaves this machine.
"""

from __future__ import annotations

import io
import json
import math
import time
import wave
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import numpy as np

from maie.asr.base import Recognition, RecognitionRequest, Samples, compression_ratio
from maie.domain import SAMPLE_RATE, Segment, Word
from maie.errors import AsrTimeout, AsrUnavailable
from maie.httpclient import (
    UNREADABLE,
    PassingFailure,
    Refused,
    TimedOut,
    TooLarge,
    base_url,
    bearer,
    exchange,
    read_key,
    repeat,
)
from maie.settings import Settings

IDLE_SECONDS = 120.0
"""Time between two bytes of an answer: a server is silent until it has recognised the whole piece."""

MAX_ANSWER_BYTES = 4 * 1024**2
SECOND_TEMPERATURE = 0.4
"""For a piece whose text looked wrong: at 0 a server would only repeat itself."""


class OpenAiRecogniser:
    """A model that a server has; each request has a time limit and few retries.

    ``languages`` is empty, because these servers don't tell which they know.

    Args:
        key: The API key that the server expects, or None.
    """

    languages: tuple[str, ...] = ()
    batch_size = 1

    def __init__(self, settings: Settings, key: str | None) -> None:
        self._url = f"{base_url('MAIE_ASR_URL', settings.asr_url)}/audio/transcriptions"
        self._key = key
        self._model = settings.asr_model_name
        self._seconds = settings.asr_timeout_seconds
        self._retries = settings.asr_retries
        self.versions: dict[str, Any] = {"asr_model": {"backend": "openai", "name": self._model}}

    def recognise(self, pieces: Sequence[Samples], request: RecognitionRequest) -> list[Recognition]:
        """Send one piece after the other.

        Raises:
            AsrUnavailable: The server is away, broken, refuses to answer, or answers something else.
            AsrTimeout: It didn't answer in time.
        """
        return [self._send(piece, request, 0.0) for piece in pieces]

    def recognise_again(self, piece: Samples, request: RecognitionRequest) -> Recognition:
        """Send a piece with a temperature; raises as :meth:`recognise`."""
        return self._send(piece, request, SECOND_TEMPERATURE)

    def fitting(self, prompt: str) -> str:
        """Return the prompt: only the server knows its model's tokens."""
        return prompt

    def _send(self, piece: Samples, request: RecognitionRequest, temperature: float) -> Recognition:
        fields = [("model", self._model), ("response_format", "verbose_json"), ("temperature", str(temperature))]
        given = (("language", request.language), ("prompt", request.prompt))
        fields += [(name, value) for name, value in given if value]
        fields += [("timestamp_granularities[]", kind) for kind in ("segment", "word")[: 1 + request.words]]
        boundary = uuid4().hex
        body = _form(fields, _wav(piece), boundary)
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"} | bearer(self._key)
        deadline = time.monotonic() + self._seconds

        def once() -> Recognition:
            answer = b"".join(exchange("POST", self._url, body, headers, deadline, MAX_ANSWER_BYTES, IDLE_SECONDS))
            return _parsed(answer, len(piece) / SAMPLE_RATE, request)

        try:
            return repeat(once, self._retries, deadline, "speech server")
        except PassingFailure as failure:
            raise AsrUnavailable from failure
        except TimedOut as failure:
            raise AsrTimeout from failure
        except TooLarge as failure:
            raise AsrUnavailable("The speech server's answer is larger than it may be.") from failure
        except Refused as refusal:
            raise AsrUnavailable(f"The speech server refuses the request (HTTP {refusal.status}).") from refusal


def _wav(piece: Samples) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.clip(np.rint(piece * 32768.0), -32768, 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def _form(fields: Sequence[tuple[str, str]], audio: bytes, boundary: str) -> bytes:
    """Return a body of multipart/form-data; the boundary is random, so that no value can hold it."""
    lines: list[bytes] = []
    for name, value in fields:
        lines += [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n'.encode(), value.encode()]
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="piece.wav"\r\n'
    lines += [f"{file}Content-Type: audio/wav\r\n".encode(), audio, f"--{boundary}--\r\n".encode()]
    return b"\r\n".join(lines)


def _parsed(answer: bytes, seconds: float, request: RecognitionRequest) -> Recognition:
    """Read an answer in the form ``verbose_json``; one with nothing but a text is one segment.

    Raises:
        PassingFailure: It is something else.
    """
    try:
        value = json.loads(answer)
        json.dumps(value, ensure_ascii=False).encode()  # half a character can't be stored
        told = value.get("segments")
        segments = [_segment(each, seconds) for each in ([value] if told is None else told)]
        language = request.language or str(value.get("language") or "").lower()
        if request.words:
            segments = _with_words(segments, list(_words(value, seconds)))
    except UNREADABLE as error:
        raise PassingFailure("no transcription") from error
    return Recognition(tuple(segment for segment in segments if segment.text), language)


def _segment(told: dict[str, Any], seconds: float) -> Segment:
    text = " ".join(told["text"].split())
    return Segment(
        start=_time(told.get("start", 0.0), seconds),
        end=_time(told.get("end", seconds), seconds),
        text=text,
        avg_logprob=_number(told.get("avg_logprob"), 0.0),
        compression_ratio=compression_ratio(text),
        no_speech_prob=_number(told.get("no_speech_prob"), 1.0),
    )


def _words(value: dict[str, Any], seconds: float) -> Iterator[Word]:
    """Yield the words, which some servers give beside the segments and others within them."""
    inside = [word for segment in value.get("segments") or () for word in segment.get("words") or ()]
    for told in value.get("words") or inside:
        start, end = _time(told["start"], seconds), _time(told["end"], seconds)
        yield Word(start, end, told["word"].strip(), _number(told.get("probability"), 1.0))


def _with_words(segments: Sequence[Segment], words: Sequence[Word]) -> list[Segment]:
    """Give each word to the segment in whose time it begins, or to the last."""
    given: list[list[Word]] = [[] for _ in segments]
    for word in words:
        place = next((i for i, segment in enumerate(segments) if word.start < segment.end), len(segments) - 1)
        if segments:
            given[place].append(word)
    return [replace(segment, words=tuple(own)) for segment, own in zip(segments, given, strict=True)]


def _time(told: Any, seconds: float) -> float:
    return min(max(_finite(told), 0.0), seconds)


def _number(told: Any, most: float) -> float | None:
    return None if told is None else min(_finite(told), most)


def _finite(told: Any) -> float:
    """Return a number; foreign JSON may hold NaN and infinities."""
    number = float(told)
    if not math.isfinite(number):
        raise ValueError("not a number")
    return number


def load(settings: Settings) -> OpenAiRecogniser:
    """Return the recogniser of the server at ``asr_url``, which need not be up.

    Raises:
        ConfigurationError: The address is invalid, or the key can't be read.
    """
    return OpenAiRecogniser(settings, read_key(settings.credentials_dir / "asr_key"))
