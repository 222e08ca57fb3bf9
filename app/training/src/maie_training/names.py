"""Invented names, made of syllables: so many that a model can only copy them, not know them.

Which side a name is on follows from its hash, as for all names (:mod:`splits`).
"""

from __future__ import annotations

import random

from maie_training.splits import Side, side_of

_ONSETS = (
    "b c d f g h j k l m n p r s t v w y z br ch cl cr dr fl fr gl gr kl kr ph pl pr qu sh sk sl sn sp st sw th tr zh"
).split()
_VOWELS = "a e i o u a e i o u ai au ea ei ia ie io oo ou ua".split()
_CODAS = ["", "", "", "", *"b d g k l ll m n nd ng nk nn nt r rd rk rl rn rt s sh ss st t th tt x z".split()]
_ENDINGS = ["", "", "", "", *"a o ia el en er in is ian ette ley mir ov sky son ston ez etti dahl berg".split()]
_COMPANY_KINDS = "|||Energy|Logistics|Bank|Media|Health|Foods|Systems|Labs|Software|Partners|Group".split("|")


def _syllables(rng: random.Random, least: int, most: int) -> str:
    count = rng.randint(least, most)
    first = rng.choice(["", *_ONSETS, *_ONSETS])
    parts = [first + rng.choice(_VOWELS) + rng.choice(_CODAS)]
    parts += [rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(count - 1)]
    return "".join(parts) + rng.choice(_ENDINGS)


def invented_word(rng: random.Random, side: Side) -> str:
    """Return a capitalized word of 3 to 12 letters that is on the wanted side."""
    while True:
        word = _syllables(rng, 1, 3)
        if 3 <= len(word) <= 12 and (side == "any" or side_of("name", word) == side):
            return word.capitalize()


def invented_person(rng: random.Random, side: Side) -> str:
    """Return a first name, now and then a double one: ``Tavos``, ``Lia-Brenna``."""
    if rng.random() < 0.03:
        return f"{invented_word(rng, side)}-{invented_word(rng, side)}"
    return invented_word(rng, side)


def invented_surname(rng: random.Random, side: Side) -> str:
    """Return a surname, now and then with a prefix: ``Drevsky``, ``O'Kelvin``."""
    if rng.random() < 0.04:
        return rng.choice(("O'", "Mc", "De ", "Van ")) + invented_word(rng, side)
    return invented_word(rng, side)


def invented_company(rng: random.Random, side: Side) -> str:
    """Return a company's name of one or two words: ``Quimbar``, ``Stavel Energy``."""
    return f"{invented_word(rng, side)} {rng.choice(_COMPANY_KINDS)}".strip()
