"""Sentences without sense: whoever writes them again can't rely on how sentences usually go."""

from __future__ import annotations

import random
from collections.abc import Sequence

from maie_training.names import invented_word
from maie_training.splits import Side
from maie_training.wide_words import COMMON


def random_word(rng: random.Random, side: Side, names: Sequence[str]) -> str:
    """Return a common word, an invented one, a name or a number."""
    kind = rng.random()
    if kind < 0.62:
        return rng.choice(COMMON)
    if kind < 0.77:
        return invented_word(rng, side).lower()
    if kind < 0.92 and names:
        return rng.choice(names)
    return rng.choice((str(rng.randint(2, 5000)), f"{rng.randint(1, 99)}.{rng.randint(0, 9)}"))


def random_sentence(rng: random.Random, side: Side, names: Sequence[str]) -> str:
    """Return 3 to 14 random words as a sentence."""
    words = [rng.choice(COMMON), *(random_word(rng, side, names) for _ in range(rng.randint(2, 13)))]
    return _sentence(words, rng.choice("...?!"))


def scrambled(sentence: str, rng: random.Random, side: Side, names: Sequence[str]) -> str:
    """Return the sentence with some of its words left out, replaced, exchanged, or others between them."""
    words = sentence[:-1].split()
    rate = rng.choice((0.1, 0.2, 0.4))
    changed: list[str] = []
    for word in words:
        kind = rng.random() / rate
        if kind < 0.25:
            continue
        if kind < 0.5:
            changed.append(random_word(rng, side, names))
        elif kind < 0.75:
            changed += [random_word(rng, side, names), word]
        elif kind < 1 and changed:
            changed.insert(len(changed) - 1, word)
        else:
            changed.append(word)
    if not changed or changed[0][0].isdigit():
        changed.insert(0, rng.choice(COMMON))
    # The word that began the sentence may stand elsewhere now, where it is small.
    if words and words[0] in changed[1:] and words[0] not in names and words[0] != "I":
        place = changed.index(words[0], 1)
        changed[place] = changed[place][0].lower() + changed[place][1:]
    return _sentence(changed, sentence[-1])


def loosened(pattern: str, rng: random.Random) -> str:
    """Return a sentence pattern with some words around its slots left out, replaced or added."""
    rate = rng.choice((0.05, 0.1, 0.2))
    changed: list[str] = []
    for word in pattern[:-1].split():
        change = None if "{" in word or rng.random() >= 3 * rate else rng.choice(("out", "in", "other"))
        if change in ("in", "other"):
            changed.append(rng.choice(COMMON))
        if change in (None, "in"):
            changed.append(word)
    return " ".join(changed) + pattern[-1]


def _sentence(words: Sequence[str], end: str) -> str:
    text = " ".join(words).rstrip(",")
    return text[0].upper() + text[1:] + end
