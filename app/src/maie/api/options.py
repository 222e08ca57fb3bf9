"""What a client may ask for, and what this deployment offers of it."""

from __future__ import annotations

import re

from maie.domain import TaskOptions
from maie.errors import InvalidRequest, NotAvailable
from maie.modelfiles import asr_languages
from maie.settings import Settings

FEATURES = ("raw_transcript", "clean_transcript", "summary", "enhancement_metrics")
"""All features that the API knows."""

AVAILABLE = frozenset({"raw_transcript"})
"""The features that this deployment has the stages for."""

DIARIZATION_AVAILABLE = False
"""Whether this deployment has the stage that tells speakers apart."""

FIELDS = frozenset({"features", "template_id", "enable_diarization", "language", "initial_prompt", "word_timestamps"})

MAX_INITIAL_PROMPT = 500
"""Characters; of what is longer than about 220 tokens, a Whisper model would hear the end only."""

_LANGUAGE = re.compile(r"[a-z]{2,3}")
_TRUTH = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def parse_options(fields: dict[str, list[str]]) -> TaskOptions:
    """Return the options that the fields of a form ask for.

    Args:
        fields: All values of each field; ``features`` may be given repeatedly, as a comma-separated list, or both.

    Raises:
        InvalidRequest: A field or a value is unknown.
        NotAvailable: The deployment does not offer what is asked for.
    """
    unknown = sorted(set(fields) - FIELDS)
    if unknown:
        raise InvalidRequest(f"Unknown field: {unknown[0][:64]!r}.")
    features = _features(fields.get("features", []))
    if _flag(fields, "enable_diarization") and not DIARIZATION_AVAILABLE:
        raise NotAvailable("Telling speakers apart (enable_diarization) is not available in this deployment.")
    if _single(fields, "template_id"):
        raise NotAvailable("Templates (template_id) are not available in this deployment.")
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
    )


def require_language(language: str | None, settings: Settings) -> None:
    """Check the language against what the model's own files say, so that no task fails for it later.

    Raises:
        NotAvailable: The speech model does not know the language.
    """
    known = asr_languages(settings.asr_model)
    if language is not None and known and language not in known:
        raise NotAvailable(f"The language {language!r} is not available in this deployment.")


def _features(values: list[str]) -> tuple[str, ...]:
    asked = [name.strip() for value in values for name in value.split(",") if name.strip()]
    for name in asked:
        if name not in FEATURES:
            raise InvalidRequest(f"Unknown feature: {name[:64]!r}. Known are {', '.join(FEATURES)}.")
        if name not in AVAILABLE:
            raise NotAvailable(f"The feature {name} is not available in this deployment.")
    return tuple(dict.fromkeys(asked)) or ("raw_transcript",)


def _single(fields: dict[str, list[str]], name: str) -> str:
    values = fields.get(name, [])
    if len(values) > 1:
        raise InvalidRequest(f"{name} is given more than once.")
    return values[0] if values else ""


def _flag(fields: dict[str, list[str]], name: str) -> bool:
    value = _single(fields, name).lower() or "false"
    if value not in _TRUTH:
        raise InvalidRequest(f"{name} must be true or false.")
    return _TRUTH[value]
