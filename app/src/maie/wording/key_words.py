"""Key words: the words of a text that carry its meaning."""

from __future__ import annotations

import re

_WORD = re.compile(r"[a-z0-9À-ɏ][a-z0-9À-ɏ'.,:-]*[a-z0-9À-ɏ]|[a-z0-9]")
_COMMON = frozenset(
    "with from that this them they their have will into about for and the until before after then when what which who "
    "your our his her its some there here just been were would could should".split()
)
_LETTERS = 5  # "orders" is "order"


def key_words(text: str) -> set[str]:
    """Return the words of four letters or more and the numbers, by their first letters, without the commonest."""
    words = (word.strip("'.,:") for word in _WORD.findall(text.lower()))
    return {word[:_LETTERS] for word in words if (len(word) >= 4 or word[:1].isdigit()) and word not in _COMMON}


def share_of(wanted: str, text: str) -> float:
    """Return which share of the key words of ``wanted`` stands in ``text``, 0 to 1."""
    keys = key_words(wanted)
    return len(keys & key_words(text)) / len(keys) if keys else 0.0
