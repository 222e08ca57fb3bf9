"""What a request with text may cost the API, whatever is in it."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from maie.api.routes.process_text import _count, _parse
from maie.domain import TaskOptions, TaskStatus, Turn
from maie.errors import InvalidRequest, UploadTooLarge
from maie.settings import Settings
from maie.tasks.limits import llm_seconds, most_words
from maie.tasks.model import Task, Upload

LARGEST = 512 * 1024
MOST_MEMORY = 32 * LARGEST


@pytest.mark.parametrize("field", ["turns", "features"])
def test_many_mistakes_cost_no_more_than_one(field: str) -> None:
    body = b'{"%s": [%s0]}' % (field.encode(), b"0," * (LARGEST // 2))
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest) as caught:
            _parse(body)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()
    assert caught.value.detail.count(f"{field}.") == 1


def test_a_text_takes_no_longer_than_the_longest_audio() -> None:
    settings = Settings(profile="embedded", asr_model=Path("unused"))
    options = TaskOptions(("clean_transcript", "summary"))
    words = _count([Turn(None, "word " * most_words(settings))], settings)
    text, audio = (
        Task("a", TaskStatus.PENDING, 1, options, upload, "key", "now")
        for upload in (Upload("", 1, None, words), Upload("a.wav", 1, settings.max_audio_seconds))
    )
    assert llm_seconds(text, 2, settings) == llm_seconds(audio, 2, settings) == 9 * 3600
    with pytest.raises(UploadTooLarge, match="has 32401 words, and this deployment accepts 32400"):
        _count([Turn(None, "word"), Turn(None, "word " * words)], settings)


def test_a_long_name_is_not_sent_back() -> None:
    with pytest.raises(InvalidRequest) as caught:
        _parse(b'{"text": "a", "%s": 1}' % (b"x" * 10_000))
    assert len(caught.value.detail) < 200
