"""What a request with text may cost the API, whatever is in it."""

from __future__ import annotations

import tracemalloc

import pytest
from maie.api.text import _parse
from maie.errors import InvalidRequest

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


def test_a_long_name_is_not_sent_back() -> None:
    with pytest.raises(InvalidRequest) as caught:
        _parse(b'{"text": "a", "%s": 1}' % (b"x" * 10_000))
    assert len(caught.value.detail) < 200
