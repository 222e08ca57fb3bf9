"""What a client may ask for, and what this deployment offers of it."""

from __future__ import annotations

import re

from maie import backends
from maie.access.offer import Offer, require_offer
from maie.domain import TaskOptions
from maie.errors import InvalidRequest, NotAvailable
from maie.models.files import asr_languages
from maie.pipeline import table
from maie.settings import Settings

FEATURES = table.features()
"""All features that the API knows."""

TEXT_FEATURES = table.features("text")
"""The features that can be asked for of a text."""

DIARIZATION_AVAILABLE = False
"""Whether this deployment has the stage that tells speakers apart."""

FIELDS = frozenset(
    "features template_id llm_required enable_diarization language initial_prompt word_timestamps track".split()
)

MAX_INITIAL_PROMPT = 500
"""Characters. Of a prompt longer than about 220 tokens a Whisper model reads the end only."""

MAX_TRACK = 999
"""Tracks of a file are numbered from 1 to no more than this."""

_LANGUAGE = re.compile(r"[a-z]{2,3}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_TRUTH = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def parse_options(fields: dict[str, list[str]], offer: Offer) -> TaskOptions:
    """Return the options that the fields of a form ask for.

    Args:
        fields: All values of each field; ``features`` may be given repeatedly, as a comma-separated list, or both.
        offer: What the deployment has.

    Raises:
        InvalidRequest: A field or a value is unknown, or fields contradict each other.
        NotAvailable: The deployment does not offer what is asked for.
        UnknownTemplate: There is no such template.
    """
    unknown = sorted(set(fields) - FIELDS)
    if unknown:
        raise InvalidRequest(f"Unknown field: {unknown[0][:64]!r}.")
    features = _features(fields.get("features", []), FEATURES) or ("raw_transcript",)
    if _flag(fields, "enable_diarization") and not DIARIZATION_AVAILABLE:
        raise NotAvailable("Telling speakers apart (enable_diarization) is not available in this deployment.")
    template_id = _single(fields, "template_id") or None
    require_offer(features, template_id, offer)
    language = _single(fields, "language")
    if language and not _LANGUAGE.fullmatch(language):
        raise InvalidRequest("language must be a code of ISO 639-1, such as 'en'.")
    initial_prompt = _single(fields, "initial_prompt").strip()
    if len(initial_prompt) > MAX_INITIAL_PROMPT:
        raise InvalidRequest(f"initial_prompt has more than {MAX_INITIAL_PROMPT} characters.")
    return TaskOptions(
        features=features,
        language=language or None,
        initial_prompt=initial_prompt or None,
        word_timestamps=_flag(fields, "word_timestamps"),
        track=_track(fields),
        template_id=template_id,
        llm_required=_flag(fields, "llm_required"),
    )


def require_language(language: str | None, settings: Settings) -> None:
    """Check the language against what the model's own files say, so that no task fails for it later.

    Raises:
        NotAvailable: The speech model does not know the language.
    """
    known = asr_languages(settings.asr_model) if backends.ASR[settings.asr_backend].in_process else ()
    if language is not None and known and language not in known:
        raise NotAvailable(f"The language {language!r} is not available in this deployment.")


def text_options(features: list[str], template_id: str | None, llm_required: bool, offer: Offer) -> TaskOptions:
    """Return the options of a task that is given text; without features it is to be cleaned.

    Raises:
        InvalidRequest: A feature is unknown, or one of audio.
        NotAvailable: The deployment has no language model.
        UnknownTemplate: There is no such template.
    """
    asked = _features(features, TEXT_FEATURES) or ("clean_transcript",)
    require_offer(asked, template_id, offer)
    return TaskOptions(features=asked, template_id=template_id, llm_required=llm_required)


def _features(values: list[str], known: tuple[str, ...]) -> tuple[str, ...]:
    asked = [name.strip() for value in values for name in value.split(",") if name.strip()]
    for name in asked:
        if name not in known:
            raise InvalidRequest(f"Unknown feature: {name[:64]!r}. Known are {', '.join(known)}.")
    return tuple(dict.fromkeys(asked))


def _single(fields: dict[str, list[str]], name: str) -> str:
    values = fields.get(name, [])
    if len(values) > 1:
        raise InvalidRequest(f"{name} is given more than once.")
    return values[0] if values else ""


def _track(fields: dict[str, list[str]]) -> int | None:
    value = _single(fields, "track")
    if not value:
        return None
    if not _NUMBER.fullmatch(value) or not 1 <= int(value) <= MAX_TRACK:
        raise InvalidRequest(f"track must be the number of an audio track, from 1 to {MAX_TRACK}.")
    return int(value)


def _flag(fields: dict[str, list[str]], name: str) -> bool:
    value = _single(fields, name).lower() or "false"
    if value not in _TRUTH:
        raise InvalidRequest(f"{name} must be true or false.")
    return _TRUTH[value]
