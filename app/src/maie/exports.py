"""A transcript as a file: plain text, subtitles (SubRip, WebVTT) or JSON, all from one list of segments."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import Literal

from maie.domain import Segment, Transcript, to_dict

Form = Literal["json", "txt", "srt", "vtt"]

MEDIA_TYPES: dict[Form, str] = {
    "json": "application/json",
    "txt": "text/plain; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
}

MIN_CUE_SECONDS = 0.02
"""Players drop a subtitle whose end is not after its start."""


def render(transcript: Transcript, form: Form) -> str:
    """Return the transcript in one of the forms of :data:`MEDIA_TYPES`."""
    return _RENDERERS[form](transcript)


def _json(transcript: Transcript) -> str:
    return json.dumps({**to_dict(transcript), "text": transcript.text}, ensure_ascii=False, indent=2) + "\n"


def _txt(transcript: Transcript) -> str:
    return "".join(f"{_one_line(segment)}\n" for segment in transcript.segments)


def _srt(transcript: Transcript) -> str:
    cues = []
    for number, segment in enumerate(transcript.segments, 1):
        text = _one_line(segment).replace("-->", "→")
        cues.append(f"{number}\n{_times(segment, ',')}\n{text}\n")
    return "\n".join(cues)


def _vtt(transcript: Transcript) -> str:
    cues = ["WEBVTT\n"]
    cues += [f"{_times(s, '.')}\n{html.escape(_one_line(s), quote=False)}\n" for s in transcript.segments]
    return "\n".join(cues)


_RENDERERS: dict[Form, Callable[[Transcript], str]] = {"json": _json, "txt": _txt, "srt": _srt, "vtt": _vtt}


def _one_line(segment: Segment) -> str:
    """Return the text without line breaks: a blank line would end a subtitle."""
    return " ".join(segment.text.split())


def _times(segment: Segment, comma: str) -> str:
    end = max(segment.end, segment.start + MIN_CUE_SECONDS)
    return f"{_clock(segment.start, comma)} --> {_clock(end, comma)}"


def _clock(seconds: float, comma: str) -> str:
    """Return ``HH:MM:SS.mmm`` with the form's own decimal sign."""
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{comma}{milliseconds % 1000:03}"
