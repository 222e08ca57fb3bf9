"""Fill the slots of a sentence pattern with words drawn from the vocabulary."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

from maie_training import spoken, vocabulary, words
from maie_training.splits import Split
from maie_training.vocabulary import Vocabulary
from maie_training.words import Verb

_SLOT = re.compile(r"\{([a-z_]+)(\d?)\}")


class SlotFiller:
    """Draws slot values with one random generator.

    Without a vocabulary they are the fixed words, with the names that the split allows.
    """

    def __init__(self, rng: random.Random, split: Split, known: Vocabulary | None = None) -> None:
        self.rng = rng
        self.words = known = known or vocabulary.fixed(split)
        self._draws: Mapping[str, Callable[[], str]] = {
            "name": lambda: rng.choice(known.first_names),
            "full": lambda: f"{rng.choice(known.first_names)} {rng.choice(known.surnames)}",
            "project": lambda: rng.choice(known.projects),
            "company": lambda: rng.choice(known.companies),
            "city": lambda: rng.choice(known.cities),
            "team": lambda: rng.choice(words.TEAMS),
            "document": lambda: rng.choice(known.documents),
            "component": lambda: rng.choice(known.components),
            "supply": lambda: rng.choice(known.supplies),
            "event": lambda: rng.choice(known.events),
            "topic": lambda: rng.choice(known.topics),
            "kind": lambda: rng.choice(known.kinds),
            "problem": lambda: rng.choice(known.problems),
            "proposal": lambda: rng.choice(known.proposals),
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
            "figure": self._figure,
            "share": self._share,
            "version": lambda: f"{rng.randint(0, 19)}.{rng.randint(0, 30)}",
            "time": lambda: f"{rng.randint(7, 19)}:{rng.randrange(0, 60, 5):02d}",
            "price": self._price,
            "digits": lambda: " ".join(str(rng.randint(100, 9999)) for _ in range(rng.randint(1, 3))),
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
            return f"{form(choose(self.words.document_verbs))} the {choose(self.words.documents)}"
        if kind <= 4:
            return f"{form(choose(self.words.component_verbs))} the {choose(self.words.components)}"
        if kind == 5:
            return f"{form(choose(words.EVENT_VERBS))} the {choose(self.words.events)}"
        contact = form(choose(words.CONTACT_VERBS))
        if kind == 6:
            return f"{contact} the {choose(words.TEAMS)} team"
        return f"{contact} {choose(self.words.companies)}"

    def _participle(self) -> str:
        known = self.words
        verbs: Sequence[Sequence[Verb]] = (known.document_verbs, known.component_verbs)
        table = self.rng.choice(verbs)
        things = known.documents if table is known.document_verbs else known.components
        # The one verb of the tables whose participle is not its past form.
        verb = self.rng.choice([verb for verb in table if verb.base != "rewrite"])
        return f"{verb.past} the {self.rng.choice(things)}"

    def _money(self) -> str:
        amount = self.rng.randint(2, 95) * self.rng.choice((10, 100, 1000))
        return f"{spoken.cardinal(amount)} {self.rng.choice(('dollars', 'euros'))}"

    def _figure(self) -> str:
        number = self.rng.choice((self.rng.randint(10, 999), self.rng.randint(1000, 99_999)))
        return self.rng.choice((f"{number}", f"{number:,}"))

    def _share(self) -> str:
        fraction = self.rng.choice(("", "", f".{self.rng.randint(1, 9)}"))
        return f"{self.rng.randint(2, 99)}{fraction}{self.rng.choice((' %', '%', ' percent'))}"

    def _price(self) -> str:
        amount = self.rng.randint(2, 950) * self.rng.choice((10, 50, 100))
        return self.rng.choice((f"${amount:,}", f"{amount} dollars", f"{amount:,} euros"))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def has_slots(pattern: str) -> bool:
    """Say whether the pattern has a slot to fill."""
    return _SLOT.search(pattern) is not None
