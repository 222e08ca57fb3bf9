"""The engines of speech recognition and of the language model: a row each, from which all else is chosen.

The settings ``asr_backend`` and ``llm_backend`` name a row. What an engine needs is imported when it is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Backend:
    """One engine.

    Attributes:
        name: The setting's value.
        description: What it is, for whoever chooses one.
        place: Who has the model: the engine process, which loads it from the folder that the settings name; or a
            server, which has it under a name of its own.
        module: Where ``load(settings)`` is; empty where there is nothing to load.
        title: Its name in the list of models, where that differs.
    """

    name: str
    description: str
    place: Literal["process", "server", "nowhere"]
    module: str = ""
    title: str = ""

    @property
    def in_process(self) -> bool:
        """Whether the engine process loads the model, whose memory counts in the plan then."""
        return self.place == "process"


def _table(*rows: Backend) -> Mapping[str, Backend]:
    return {row.name: row for row in rows}


ASR = _table(
    Backend("faster_whisper", "in the engine process", "process", "maie.asr.faster_whisper", "faster-whisper"),
    Backend(
        "openai",
        "any server with OpenAI's audio transcriptions; its key is the credential asr_key, if it wants one",
        "server",
        "maie.asr.openai",
    ),
)
LLM = _table(
    Backend("none", "no language model", "nowhere"),
    Backend("ctranslate2", "in the engine process", "process", "maie.llm.ctranslate2"),
    Backend(
        "openai",
        "any server with OpenAI's chat completions, vLLM by default; its key is the credential llm_key, if it wants "
        "one",
        "server",
        "maie.llm.openai",
    ),
)


def choices(table: Mapping[str, Backend]) -> str:
    """Return the names to choose from, each with its description."""
    *rest, last = [f"{row.name} ({row.description})" for row in table.values()]
    return f"{', '.join(rest)} or {last}"


def known(table: Mapping[str, Backend], name: str) -> str:
    """Return the name of a row; raises ValueError where there is none of it."""
    if name not in table:
        raise ValueError(f"must be one of {', '.join(table)}")
    return name
