"""Where a speaker takes something back: "on Tuesday, no, sorry, Wednesday".

What was wrong goes together with the words that say so. Words like "sorry" say it plainly; "no", "I mean" or "actually"
often say something else, so that what stands before and behind them has to be of one kind as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from maie.wording.speech import AUXILIARIES, DETERMINERS, PREPOSITIONS, PRONOUNS, SUBORDINATORS, Speech, Stretch

_PLAIN = frozenset(
    "sorry|i am sorry|no sorry|no i am sorry|no wait|wait no|or rather|or no|or actually|scratch that|strike that|"
    "correction|make that|excuse me|pardon|pardon me|my mistake|i meant|no i meant|i should say|no i mean|"
    "or i should say|let me start again|let me start over|no actually|wait sorry|oh no|oh sorry|no wait sorry|or wait|"
    "actually no|well no|i mean no|no hang on|no hold on|or sorry|ah sorry".split("|")
)
_AMBIGUOUS = frozenset("no|no no|no no no|i mean|actually|well|wait|rather|hold on|hang on".split("|"))
_MOST_WRONG = 8
_MOST_WRONG_OF_A_KIND = 3
_MOST_WORDS = 4
_DAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday today tomorrow yesterday".split())
_MONTHS = frozenset("january february march april may june july august september october november december".split())
_AMOUNTS = ("a", "an", "once", "twice")
_KINDS = (DETERMINERS - {"no"}, PRONOUNS, AUXILIARIES, PREPOSITIONS, _DAYS, _MONTHS)


def taken_back(speech: Speech) -> Iterator[Stretch]:
    """Yield what was wrong together with the words that say so."""
    for edit in range(1, len(speech.words)):
        for right in range(edit + 1, min(edit + _MOST_WORDS, len(speech.words) - 1) + 1):
            if any(speech.sentences[edit + 1 : right]):
                break
            if " ".join(speech.words[edit - 1 : right]) in _PLAIN | _AMBIGUOUS:
                continue  # "no, sorry": it begins before
            phrase = " ".join(speech.words[edit:right])
            if phrase not in _PLAIN | _AMBIGUOUS or not _is_set_off(speech, phrase, edit, right):
                continue
            for wrong in range(max(0, edit - _MOST_WRONG), edit):
                if not any(speech.sentences[wrong + 1 : edit]) and _is_corrected(
                    speech, wrong, edit, right, phrase in _PLAIN
                ):
                    yield speech.stretch(wrong, right)


def _is_set_off(speech: Speech, phrase: str, edit: int, right: int) -> bool:
    """Whether words that can mean something else too stand between pauses, as far as there are any in the text."""
    if phrase not in _AMBIGUOUS or (phrase in ("no", "i mean") and not speech.punctuated):
        return True
    return speech.pauses[edit] or (speech.words[edit] != "no" and speech.pauses[right])


def _is_corrected(speech: Speech, wrong: int, edit: int, right: int, plain: bool) -> bool:
    """Whether the words from ``wrong`` to ``edit`` were replaced by those from ``right`` on."""
    length, first, last, new = edit - wrong, speech.words[wrong], speech.words[edit - 1], speech.words[right]
    # "signed up for Rome, no, for Paris": only "for Rome" was wrong
    anew_within = new in speech.words[wrong + 1 : edit] and not speech.pieces[right].is_number
    if first == new and not anew_within:
        return plain or first not in PRONOUNS or length == 1 or speech.is_open(edit - 1)
    if length <= _MOST_WRONG_OF_A_KIND and not anew_within and _alike(speech, wrong, right):
        return True
    if length == 1 and plain:
        return first in PRONOUNS or new not in PRONOUNS
    if length == 1:
        alone = right + 1 >= len(speech.words) or speech.pauses[right + 1]
        return alone and speech.pauses[right] and not speech.sentences[edit]
    if any(speech.pauses[wrong + 1 : edit]) or not (speech.pauses[wrong] or speech.sentences[wrong]):
        return False
    anew = speech.begins_sentence(right, edit - 1)
    if speech.is_open(edit - 1) or last == "this":
        return plain or (anew and first not in SUBORDINATORS)
    return plain and anew and speech.sentences[wrong] and not _alike(speech, edit - 1, right)


def _alike(speech: Speech, one: int, other: int) -> bool:
    """Whether two words are of one kind: numbers, names, days, small words."""
    first, second = speech.pieces[one], speech.pieces[other]
    amounts = (piece.is_number or piece.text in _AMOUNTS for piece in (first, second))
    names = speech.is_name(one), speech.is_name(other)
    return all(amounts) or all(names) or any(first.text in kind and second.text in kind for kind in _KINDS)
