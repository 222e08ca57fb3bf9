"""What the smoke test demands of a result; each problem is a sentence, or None."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.meeting_facts import words  # type: ignore[import-not-found]

MOST_LOST = 0.1
"""Share of the recognised facts that a clean transcript may lack: a good model may drop an unimportant word or two."""

CLEAN_LENGTH = (0.6, 1.1)
"""Words of the clean transcript over words of the transcript: fillers and repetitions go, nothing is added."""

ORDER = ["PENDING", "PREPROCESSING", "PROCESSING_ASR", "PROCESSING_LLM", "COMPLETE"]


def in_order(states: list[str]) -> bool:
    """Whether a task only went forward and completed."""
    known = [ORDER.index(state) for state in states if state in ORDER]
    return len(known) == len(states) and known == sorted(known) and states[-1:] == ["COMPLETE"]


def segments_problem(segments: list[dict[str, Any]], audio_seconds: float) -> str | None:
    """Return what is wrong with the segments' times."""
    if not segments:
        return "there are no segments"
    ends = 0.0
    for segment in segments:
        if not ends - 0.05 <= segment["start"] <= segment["end"] <= audio_seconds + 1.0:
            return f"{segment['start']}–{segment['end']} s after {ends} s, in {audio_seconds} s of audio"
        ends = segment["start"]
    return None


def is_other_language(heard: str | None, spoken: str) -> bool:
    """Whether the detected language is another code; some servers report a name or nothing."""
    return heard is not None and re.fullmatch("[a-z]{2,3}", heard) is not None and heard != spoken


def facts_problem(heard: int, gone: Sequence[str]) -> str | None:
    """Return which of the words that say who, what, when and how much a clean transcript lost."""
    if len(gone) <= MOST_LOST * heard:
        return None
    return f"the clean transcript lost {len(gone)} of {heard} facts, more than {MOST_LOST:.0%}: {', '.join(gone)}"


def length_problem(transcript: str, clean: str, language: str) -> str | None:
    """Return what is wrong with the length of a clean transcript against the transcript's."""
    least, most = CLEAN_LENGTH
    share = len(words(clean, language)) / max(1, len(words(transcript, language)))
    if least <= share <= most:
        return None
    return f"the clean transcript has {share:.0%} of the transcript's words, {least:.0%} to {most:.0%} are allowed"


def wrote_nothing(reference: Mapping[str, Any], transcript: str, clean: str) -> bool:
    """Whether the clean transcript only repeats the transcript although something should have been removed."""
    said, right, heard, written = (
        Counter(re.findall(r"\w+", (text or "").lower()))
        for text in (reference["verbatim"], reference.get("clean") or reference["verbatim"], transcript, clean)
    )
    should_go = {word for word in said - right if heard[word] > right[word]}
    return bool(should_go) and heard == written


def says_something(value: Any) -> bool:
    """Whether a JSON value has text anywhere."""
    if isinstance(value, str):
        return bool(value.strip())
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(says_something(part) for part in parts)
