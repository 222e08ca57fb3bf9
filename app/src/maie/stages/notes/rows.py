"""Reads what a model says of each line: that it settles nothing, or a task or decision."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from maie.domain import Turn
from maie.llm.base import Token
from maie.wording.key_words import key_words, share_of

Kind = Literal["task", "decision"]

LEAST_SUPPORT = 0.5
"""Below it an item is wrong too often; chosen on talks that neither trained nor judged the model."""

SAME = 0.6
"""Share of key words from which on two rows say the same."""

_ROW = re.compile(
    r"(?P<line>\d{1,6}) (?:(?P<task>task) (?P<who>[^:\n]{1,100}): |(?P<decision>decision) )(?P<text>.*\S)\s*"
)
_DATE = re.compile(r" *\((\d{4}-\d\d-\d\d)\)$")


@dataclass(frozen=True)
class Row:
    """A task or a decision.

    Attributes:
        line: The number of the line that says so.
        who: Who does a task, as the model wrote it; None for a decision.
        date: As the model wrote it, of the form YYYY-MM-DD.
        confidence: How sure the model is, 0 to 1; None where the engine tells no probabilities.
    """

    line: int
    kind: Kind
    who: str | None
    text: str
    date: str | None
    confidence: float | None


def read_rows(text: str, tokens: Sequence[Token]) -> list[Row]:
    """Return the rows of an answer that settle something; what has no such form is passed over.

    Args:
        text: The answer.
        tokens: Its tokens; none where the engine can't tell them.
    """
    return list(_rows(text, tokens))


def _rows(text: str, tokens: Sequence[Token]) -> Iterator[Row]:
    for found in re.finditer(r"[^\n]+", text):
        row = _ROW.fullmatch(text, *found.span())
        if row is None:
            continue
        kind: Kind = "task" if row["task"] else "decision"
        date = _DATE.search(row["text"])
        what = row["text"][: date.start()].strip() if date else row["text"].strip()
        if not what:
            continue
        head = row.start(kind), row.end("who" if kind == "task" else kind)
        yield Row(
            line=int(row["line"]),
            kind=kind,
            who=row["who"],
            text=what,
            date=date[1] if date else None,
            confidence=_confidence(tokens, head, row.span("text")) if tokens else None,
        )


def _confidence(tokens: Sequence[Token], head: tuple[int, int], said: tuple[int, int]) -> float:
    """Return how sure the model was that there is something, whose it is and, on an average word, of what it is.

    The line's number doesn't count: after a row the model hardly has a choice.

    Args:
        tokens: Of the whole answer.
        head: Where kind and person stand in the answer.
        said: Where the text stands.
    """
    first, rest = list(_within(tokens, head)), list(_within(tokens, said))
    return math.exp(min(0.0, sum(first) + sum(rest) / max(1, len(rest))))


def _within(tokens: Sequence[Token], span: tuple[int, int]) -> Iterator[float]:
    """Yield the log-probabilities of the tokens that begin within a stretch of the answer, spaces aside."""
    place = 0
    for token in tokens:
        at = place + len(token.text) - len(token.text.lstrip())
        place += len(token.text)
        if span[0] <= at < span[1]:
            yield token.log_probability


def support(row: Row, line: str) -> float:
    """Return how far to trust a task or decision, 0 to 1.

    It is the model's confidence (1 where that is not known), less where the row's line says none of it, and less where
    it says little: what is wrong is short more often than what is right.
    """
    sure = 1.0 if row.confidence is None else row.confidence
    return sure * (0.6 + 0.4 * share_of(row.text, line)) * min(1.0, (len(key_words(row.text)) + 2) / 7)


def credible(rows: Sequence[Row], lines: Sequence[Turn], least: float = LEAST_SUPPORT) -> list[Row]:
    """Return the tasks and decisions without what is hardly supported and, of two alike, the less supported one.

    Args:
        rows: With their lines numbered from 0.
        lines: The lines that they are about.
        least: The least support.
    """
    kept: list[Row] = []
    found = [(support(row, lines[row.line].text), row) for row in rows]
    for trust, row in sorted(found, key=lambda pair: -pair[0]):
        alike = (other for other in kept if (other.kind, other.who) == (row.kind, row.who))
        said = any(max(share_of(row.text, o.text), share_of(o.text, row.text)) >= SAME for o in alike)
        if trust >= least and not said:
            kept.append(row)
    return sorted(kept, key=lambda row: row.line)
