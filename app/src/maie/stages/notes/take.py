"""Takes notes by a template's steps: a field has what the model says of the lines, or lines themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

from jsonschema import Draft202012Validator

from maie.domain import CleanTranscript, Summary, Turn
from maie.errors import LlmAnswerInvalid
from maie.llm.base import LanguageModel
from maie.prompting.prompts import label
from maie.prompting.template import Source, Template
from maie.stages.clean_lines import clean_lines
from maie.stages.notes.dates import follows_from, is_said, only_day, read_date
from maie.stages.notes.facts import Transcript
from maie.stages.notes.fitting import fitted
from maie.stages.notes.quotes import passages, quoted, telling_lines, words_to_quote
from maie.stages.notes.reading import Reading, read
from maie.stages.notes.rows import Row, credible
from maie.stages.parts import lines_of
from maie.stages.short_lines import clipped, short_lines
from maie.wording.faithful import is_english

LINES_NEAR = 3
"""Lines before and after a task in which its date is looked for."""

READING_SHARE = 0.9
"""Share of the work that is done before the quotes are cleaned."""

MOST_POINTS = 5
"""Quotes that are the main points where nothing was settled."""

NOT_ENGLISH = "The language model was trained on English: of what is said in another language the notes have little."

UNSURE = "The language model's server does not tell how sure the model is: more of what was settled may be wrong."


def take_notes(
    turns: Sequence[Turn],
    model: LanguageModel,
    template: Template,
    on_progress: Callable[[float], None],
    cleaned: CleanTranscript | None = None,
) -> Summary:
    """Return a template's fields as its steps say.

    Args:
        turns: What was said, in order; they may end within sentences.
        model: What reads and writes.
        template: One that has steps.
        on_progress: Told the fraction done.
        cleaned: The clean transcript of these turns, where there is one.

    Raises:
        LlmAnswerInvalid: There is nothing to read, or the schema wants more than the steps can give.
        LlmInputTooLong: The model's context is too small for a single line.
        LlmFailed: The model can't be used; see its other subclasses.
    """
    said = lines_of(turns)
    if not said:
        raise LlmAnswerInvalid("There is no text to summarise.")
    clean = _turns_of(cleaned, said)
    lines = clipped([short for line in clean or said for short in short_lines(line)])
    reading = read(lines, model, lambda done: on_progress(READING_SHARE * done))
    notes = Notes(reading, None if clean else lambda quotes: _cleaned(quotes, lines, model, on_progress))
    fields = template.schema["properties"]
    found = {name: notes.value(source) for name, source in template.steps.items()}
    value = {name: fitted(wanted, fields[name]) for name, wanted in found.items()}
    if not Draft202012Validator(template.schema).is_valid(value):
        raise LlmAnswerInvalid("The template's schema wants more than its steps can give.")
    on_progress(1.0)
    warnings = [] if is_english(line.text for line in said) else [NOT_ENGLISH]
    if not notes.reading.is_sure:
        warnings.append(UNSURE)
    for name, wanted in found.items():
        most = fields[name].get("maxItems")
        if isinstance(wanted, list) and most is not None and len(wanted) > most:
            warnings.append(f"{len(wanted) - most} of {len(wanted)} {name} had to be left out.")
    return Summary(template.identity, value, notes.reading.parts, tuple(warnings))


def _turns_of(cleaned: CleanTranscript | None, said: Sequence[Turn]) -> list[Turn] | None:
    """Return the lines of a clean transcript, or None where there is none of just these lines."""
    texts = cleaned.text.splitlines() if cleaned else []
    if len(texts) != len(said):
        return None
    lines = [replace(line, text=text.removeprefix(label(line))) for line, text in zip(said, texts, strict=True)]
    return lines if all(line.text.strip() for line in lines) else None


def _cleaned(
    quotes: Sequence[Turn], lines: Sequence[Turn], model: LanguageModel, on_progress: Callable[[float], None]
) -> list[Turn]:
    """Return quotes as the model cleans them."""
    english = is_english(line.text for line in lines)
    found = clean_lines(quotes, model, lambda done: on_progress(READING_SHARE + (1 - READING_SHARE) * done), english)
    return [replace(quote, text=clean.text) for quote, clean in zip(quotes, found, strict=True)]


@dataclass(frozen=True)
class Notes:
    """What was found out about a conversation, in the forms that templates ask for.

    Attributes:
        reading: What the model says.
        clean: Cleans what is quoted; None where all lines are clean.
    """

    reading: Reading
    clean: Callable[[Sequence[Turn]], list[Turn]] | None

    def value(self, source: Source) -> Any:
        """Return what a field gets, as long as it is."""
        about = self.reading.about
        if source == "title":
            return about.title
        if source == "date":
            return about.day.isoformat() if about.day else None
        if source == "people":
            return list(about.people)
        if source == "topics":
            return list(about.topics)
        if source == "tags":
            return list(about.tags)
        if source == "summary":
            return " ".join(map(quoted, self._quotes))
        if source == "decisions":
            return [row.text for row in self._settled if row.kind == "decision"]
        if source == "tasks":
            return [self._task(row) for row in self._settled if row.kind == "task"]
        return [self._point(row) for row in self._settled] or [quoted(line) for line in self._quotes[:MOST_POINTS]]

    @cached_property
    def _transcript(self) -> Transcript:
        return Transcript(self.reading.lines)

    @cached_property
    def _settled(self) -> list[Row]:
        rows = [replace(row, who=self._who(row)) for row in self.reading.rows]
        return credible(rows, self.reading.lines)

    def _who(self, row: Row) -> str | None:
        return self._transcript.person(row.who, self.reading.lines[row.line])

    def _task(self, row: Row) -> dict[str, str | None]:
        due = self._due(row)
        return {"description": row.text, "assignee": row.who, "due_date": due.isoformat() if due else None}

    def _due(self, row: Row) -> date | None:
        """Return the day by which a task is to be done, where what was said explains it."""
        near = self.reading.lines[max(0, row.line - LINES_NEAR) : row.line + LINES_NEAR + 1]
        text, met, day = " ".join(line.text for line in near), self.reading.about.day, read_date(row.date)
        if day and (is_said(day, text, met) or (met and follows_from(day, text, met))):
            return day
        return only_day(row.text, met) if met else None

    def _point(self, row: Row) -> str:
        return f"{row.who}: {row.text}" if row.who else row.text

    @cached_property
    def _quotes(self) -> list[Turn]:
        """What tells most, clean."""
        lines = self.reading.lines
        settled = {row.line for row in self._settled}
        chosen = passages(lines, telling_lines(lines, settled, words_to_quote(lines)))
        return self.clean(chosen) if self.clean else chosen
