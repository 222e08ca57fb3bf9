"""What the slots of a pattern can be filled with: the fixed words, or wider ones with invented names."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from maie_training import wide_words, words
from maie_training.names import invented_company, invented_person, invented_surname, invented_word
from maie_training.splits import Side, Split
from maie_training.words import Verb

# Of the names of a meeting with invented ones, how many come from the fixed lists all the same.
_FIXED_SHARE = 0.25


@dataclass(frozen=True)
class Vocabulary:
    """Lists to draw from; ``names`` has every word of a name, to be written with a capital anywhere."""

    first_names: Sequence[str]
    surnames: Sequence[str]
    projects: Sequence[str]
    companies: Sequence[str]
    cities: Sequence[str]
    documents: Sequence[str]
    components: Sequence[str]
    supplies: Sequence[str]
    events: Sequence[str]
    topics: Sequence[str]
    kinds: Sequence[str]
    problems: Sequence[str]
    proposals: Sequence[str]
    document_verbs: Sequence[Verb]
    component_verbs: Sequence[Verb]
    names: frozenset[str]


def fixed(split: Split) -> Vocabulary:
    """Return the small vocabulary, with the people's names that the split allows."""
    return Vocabulary(
        first_names=[name for name in words.FIRST_NAMES if split.allows("name", name)],
        surnames=[name for name in words.SURNAMES if split.allows("name", name)],
        projects=words.PROJECTS,
        companies=words.COMPANIES,
        cities=words.CITIES,
        documents=words.DOCUMENTS,
        components=words.COMPONENTS,
        supplies=words.SUPPLIES,
        events=words.EVENTS,
        topics=words.TOPICS,
        kinds=words.MEETING_KINDS,
        problems=words.PROBLEMS,
        proposals=words.PROPOSALS,
        document_verbs=words.DOCUMENT_VERBS,
        component_verbs=words.COMPONENT_VERBS,
        names=frozenset(),
    )


def invented(rng: random.Random, side: Side) -> Vocabulary:
    """Return wider words with names made up for one meeting.

    All names are on the wanted side; on the training side a quarter of them are the fixed ones.
    """

    def some(make: Callable[[random.Random, Side], str], known: Sequence[str], count: int) -> list[str]:
        chosen: set[str] = set()
        while len(chosen) < count:
            take_known = side == "train" and rng.random() < _FIXED_SHARE
            chosen.add(rng.choice(known) if take_known else make(rng, side))
        return sorted(chosen)

    first_names = some(invented_person, words.FIRST_NAMES, 9)
    surnames = some(invented_surname, words.SURNAMES, 4)
    projects = some(invented_word, words.PROJECTS, 3)
    companies = some(invented_company, words.COMPANIES, 4)
    cities = some(invented_word, words.CITIES, 4)
    groups = (first_names, surnames, projects, companies, cities)
    return Vocabulary(
        first_names=first_names,
        surnames=surnames,
        projects=projects,
        companies=companies,
        cities=cities,
        documents=wide_words.DOCUMENTS,
        components=wide_words.COMPONENTS,
        supplies=wide_words.SUPPLIES,
        events=wide_words.EVENTS,
        topics=wide_words.TOPICS,
        kinds=wide_words.MEETING_KINDS,
        problems=wide_words.PROBLEMS,
        proposals=wide_words.PROPOSALS,
        document_verbs=wide_words.DOCUMENT_VERBS,
        component_verbs=wide_words.COMPONENT_VERBS,
        names=frozenset(word for group in groups for name in group for word in name.split()),
    )
