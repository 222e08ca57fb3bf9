"""Where a speaker begins something and doesn't end it, because it is begun anew or something else is.

A false start has to look like one: it ends where no clause can end, as in "we should, we could", or all of it comes
again right after. Of two whole clauses, "he is tall, he is strong", none is the other's false start.
"""

from __future__ import annotations

from collections.abc import Iterator

from maie.wording.speech import (
    ARTICLES,
    AUXILIARIES,
    DETERMINERS,
    JOINERS,
    NEGATIONS,
    NOMINATIVES,
    PREPOSITIONS,
    PRONOUNS,
    SUBORDINATORS,
    WANTING_MORE,
    Speech,
    Stretch,
)

_MOST_BEGUN = 8
_MOST_ABANDONED = 5
_MOST_INSERTED = 2
_LEAST_TAKEN_UP = 2
_PHRASAL = frozenset("after against before behind below down in near on over since through under up".split())
_TITLES = frozenset("mister missus miss ms doctor".split())
_SWAPPED = (
    DETERMINERS - {"no", "this", "that"},
    PRONOUNS - {"there"},
    AUXILIARIES - {"'s"},
    PREPOSITIONS - _PHRASAL - {"like", "without"},
    _TITLES,
)
_AFTER_ARTICLE = NOMINATIVES | {"it", "you", "what", "when", "if"}
_THIRD_PERSON = frozenset("he she it they".split())
_INTENSIFIERS = frozenset("absolutely completely really so totally very".split())


def false_starts(speech: Speech) -> Iterator[Stretch]:
    """Yield the false starts of a speech."""
    count = len(speech.words)
    for start in range(count):
        for new in range(start + 1, min(start + _MOST_BEGUN, count - 1) + 1):
            if speech.sentences[new] and not speech.breaks[new]:
                break  # what ends with a sentence was said
            if _comes_again(speech, start, new) or (
                not _loses_much(speech, start, new)
                and (
                    _is_swapped(speech, start, new)
                    or _is_begun_again(speech, start, new)
                    or _is_taken_up(speech, start, new)
                    or _is_abandoned(speech, start, new)
                )
            ):
                yield speech.stretch(start, new)


def _loses_much(speech: Speech, start: int, new: int) -> bool:
    """Whether a stretch has a negation, a name or a number that doesn't come again right after."""
    again = set(speech.words[new : new + 2 * (new - start) + 3])
    for place in range(start, new):
        piece = speech.pieces[place]
        if piece.text in NEGATIONS:
            if not again & NEGATIONS:
                return True
        elif (speech.is_name(place) or piece.is_number) and piece.text not in again | _TITLES:
            return True
    return False


def _comes_again(speech: Speech, start: int, new: int) -> bool:
    """Whether all of a stretch comes again with a word or two more: "I forgot, I completely forgot"."""
    words, first = speech.words, speech.words[start]
    if new == start + 1:
        return speech.pauses[new] and words[new] in _INTENSIFIERS and words[new + 1 : new + 2] == [first]
    if words[new] != first and words[new] not in NOMINATIVES:
        return False  # "for his son, not for his wife"
    begun = words[start:new]
    if len(begun) > _LEAST_TAKEN_UP and begun[-1] in PRONOUNS:
        begun.pop()  # "the wall it, the wall"
    following = iter(words[new : new + len(begun) + _MOST_INSERTED])
    return all(word in following for word in begun)


def _is_swapped(speech: Speech, start: int, new: int) -> bool:
    """Whether a small word is replaced by another of its kind: "he, she said", "do you, can you"."""
    words, first, second = speech.words, speech.words[start], speech.words[new]
    if not speech.pauses[new]:
        return new == start + 1 and {first, second} == {"a", "an"}
    if new == start + 2 and first in AUXILIARIES and second in AUXILIARIES:
        return words[start + 1] in PRONOUNS and words[new + 1 : new + 2] == [words[start + 1]]
    return new == start + 1 and any(first in kind and second in kind for kind in _SWAPPED)


def _is_begun_again(speech: Speech, start: int, new: int) -> bool:
    """Whether a stretch that can't be all is begun with the same word once more: "we should, we could"."""
    if (
        not speech.pieces[start].labels & speech.pieces[new].labels
        or speech.words[new] in speech.words[start + 1 : new]
    ):
        return False  # of two beginnings it is the nearer one
    last = speech.words[new - 1]
    if new - start > 2 and last in AUXILIARIES and speech.words[new - 3] in JOINERS:
        return False  # "I do what I can, I promise"
    if speech.pieces[new - 1].cut or (speech.pauses[new] and (last == "not" or speech.is_open(new - 1))):
        return True
    if last in ARTICLES or last in ("my", "our", "their"):
        return speech.words[new] in PREPOSITIONS | PRONOUNS | AUXILIARIES and not any(speech.pauses[start + 1 : new])
    return not speech.punctuated and speech.is_open(new - 1) and last not in JOINERS | WANTING_MORE


def _is_taken_up(speech: Speech, start: int, new: int) -> bool:
    """Whether a clause goes on with a pronoun for its subject: "the wall was, it was wet"."""
    again = speech.words[start : new - 1]
    if new - start < 2 or not speech.pieces[start].labels & speech.pieces[new].labels:
        return False
    if again[1:] != speech.words[new + 1 : new + len(again)]:
        return False
    if all(word in AUXILIARIES or word in NEGATIONS for word in again):
        return speech.words[new - 1] in PRONOUNS
    subject = start > 0 and speech.words[start - 1] not in PRONOUNS and not speech.is_open(start - 1)
    return subject and len(again) > 1 and speech.words[new - 1] in _THIRD_PERSON


def _is_abandoned(speech: Speech, start: int, new: int) -> bool:
    """Whether a sentence is left for another one: "And then the, um, she said"."""
    first, last, length = speech.words[start], speech.words[new - 1], new - start
    broken = speech.breaks[new]
    if not (speech.sentences[start] or (speech.pauses[start] and broken)) or not speech.pauses[new]:
        return False
    if length == 1:
        return broken and (last in ARTICLES or last in ("my", "our")) and speech.words[new] in _AFTER_ARTICLE
    if length > _MOST_ABANDONED or last == speech.words[new]:
        return False  # "chop the, the onions": one word is repeated
    if first in SUBORDINATORS and (last in AUXILIARIES or last in WANTING_MORE):
        return False  # "if you can, you should"
    contracted = speech.is_contracted(new - 1)
    left = last == "that" and speech.skipped(new) > 1
    if not (left or contracted or speech.is_open(new - 1) or (broken and last == "not")):
        return False
    closed = contracted or last in DETERMINERS or last in ("of", "to", "like") or last in NOMINATIVES
    return (closed or broken) and speech.begins_sentence(new, new - 1)
