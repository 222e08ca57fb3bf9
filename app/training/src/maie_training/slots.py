"""Fill the slots of a sentence pattern with words drawn from the vocabulary."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

from maie_training import spoken, words
from maie_training.splits import Split
from maie_training.words import Verb

_SLOT = re.compile(r"\{([a-z_]+)(\d?)\}")


class SlotFiller:
    """Draws slot values with one random generator, from the names that the split allows."""

    def __init__(self, rng: random.Random, split: Split) -> None:
        self.rng = rng
        self.first_names = [name for name in words.FIRST_NAMES if split.allows("name", name)]
        self.surnames = [name for name in words.SURNAMES if split.allows("name", name)]
        self._draws: Mapping[str, Callable[[], str]] = {
            "name": lambda: rng.choice(self.first_names),
            "full": lambda: f"{rng.choice(self.first_names)} {rng.choice(self.surnames)}",
            "project": lambda: rng.choice(words.PROJECTS),
            "company": lambda: rng.choice(words.COMPANIES),
            "city": lambda: rng.choice(words.CITIES),
            "team": lambda: rng.choice(words.TEAMS),
            "document": lambda: rng.choice(words.DOCUMENTS),
            "component": lambda: rng.choice(words.COMPONENTS),
            "supply": lambda: rng.choice(words.SUPPLIES),
            "event": lambda: rng.choice(words.EVENTS),
            "topic": lambda: rng.choice(words.TOPICS),
            "kind": lambda: rng.choice(words.MEETING_KINDS),
            "problem": lambda: rng.choice(words.PROBLEMS),
            "proposal": lambda: rng.choice(words.PROPOSALS),
            "adjective": lambda: rng.choice(words.ADJECTIVES),
            "task": lambda: self.task(lambda verb: verb.base),
            "task_past": lambda: self.task(lambda verb: verb.past),
            "task_gerund": lambda: self.task(lambda verb: verb.gerund),
            "participle": self._participle,
            "number": lambda: spoken.cardinal(rng.randint(2, 60)),
            "number_cap": lambda: _capital(spoken.cardinal(rng.randint(2, 60))),
            "digit": lambda: spoken.cardinal(rng.randint(0, 9)),
            "big": lambda: spoken.cardinal(rng.randint(2, 99) * rng.choice((10, 100))),
            "percent": lambda: spoken.cardinal(rng.randint(2, 99)),
            "money": self._money,
            "ordinal": lambda: spoken.ordinal(rng.randint(1, 12)),
            "month": lambda: rng.choice(spoken.MONTHS),
            "weekday": lambda: rng.choice(spoken.WEEKDAYS),
            "clock": lambda: spoken.clock(rng.randint(7, 18), rng.choice((0, 15, 30, 45))),
            "date": lambda: self.spoken_date(self.day()),
            "due": lambda: self.spoken_date(self.day()),
            "due_cap": lambda: _capital(self.spoken_date(self.day())),
            "today": lambda: spoken.full_date(self.day()),
        }

    def fill(self, pattern: str, given: Mapping[str, str] | None = None) -> str:
        """Return ``pattern`` with its slots filled; ``given`` fixes some of them by name.

        Slots of one name and different digits get different values.
        """
        values = dict(given or {})

        def value(match: re.Match[str]) -> str:
            slot, key = match[1], match[1] + match[2]
            if key not in values:
                taken = {text for name, text in values.items() if name.rstrip("23456") == slot}
                values[key] = self._fresh(slot, taken)
            return values[key]

        return _SLOT.sub(value, pattern)

    def _fresh(self, slot: str, taken: set[str]) -> str:
        draw = self._draws[slot]
        text = draw()
        while text in taken:
            text = draw()
        return text

    def day(self) -> date:
        """Return a day of the years 2024 to 2029."""
        return date(2024, 1, 1) + timedelta(days=self.rng.randrange(6 * 365))

    def spoken_date(self, day: date) -> str:
        """Return one of the ways to say ``day`` without its year."""
        form: Callable[[date], str] = self.rng.choice((spoken.day_month, spoken.month_day, spoken.weekday_day_month))
        return form(day)

    def task(self, form: Callable[[Verb], str]) -> str:
        """Return a task as a verb phrase, with its verb in the given form."""
        choose = self.rng.choice
        kind = self.rng.randrange(8)
        if kind <= 2:
            return f"{form(choose(words.DOCUMENT_VERBS))} the {choose(words.DOCUMENTS)}"
        if kind <= 4:
            return f"{form(choose(words.COMPONENT_VERBS))} the {choose(words.COMPONENTS)}"
        if kind == 5:
            return f"{form(choose(words.EVENT_VERBS))} the {choose(words.EVENTS)}"
        contact = form(choose(words.CONTACT_VERBS))
        if kind == 6:
            return f"{contact} the {choose(words.TEAMS)} team"
        return f"{contact} {choose(words.COMPANIES)}"

    def _participle(self) -> str:
        verbs: Sequence[tuple[Verb, ...]] = (words.DOCUMENT_VERBS, words.COMPONENT_VERBS)
        table = self.rng.choice(verbs)
        things = words.DOCUMENTS if table is words.DOCUMENT_VERBS else words.COMPONENTS
        # The one verb of the tables whose participle is not its past form.
        verb = self.rng.choice([verb for verb in table if verb.base != "rewrite"])
        return f"{verb.past} the {self.rng.choice(things)}"

    def _money(self) -> str:
        amount = self.rng.randint(2, 95) * self.rng.choice((10, 100, 1000))
        return f"{spoken.cardinal(amount)} {self.rng.choice(('dollars', 'euros'))}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def has_slots(pattern: str) -> bool:
    """Say whether the pattern has a slot to fill."""
    return _SLOT.search(pattern) is not None
