"""Marks: what a model's chat format could take for a control token, and how a text is freed of them.

The transcript is data: nothing in it may end it or pass for a word of the chat format.
"""

from __future__ import annotations

import re

# Whatever some model's chat format could take for a mark: <|im_start|>, <think>, </transcript>, <tool_call id=1>; in
# Mistral's family [INST], [/SYSTEM_PROMPT], [TOOL_RESULTS]. Other words in brackets are none: <by ten percent>,
# <maya@example.com>, [sic], [LAUGHTER].
_MARK = re.compile(
    r"<(?:\s*[|｜/!?][^<>\n]{0,80}|[A-Za-z_][\w.:-]{0,80}\s*|(?:[A-Za-z]+_|transcript\b|\w+ \w+=)[^<>\n]{0,80})>"
    r"|\[/?(?:INST|SYS|THINK|ARGS|IMG|AUDIO|TRANSCRIBE|PREFIX|MIDDLE|SUFFIX"
    r"|(?:AVAILABLE|BEGIN|CALL|IMG|MODEL|SYSTEM|TOOL)_[A-Z]+)\]"
)
_HALF_MARK = re.compile(r"(?<!<)<+\s*(?=[|｜/])|(?<=[|｜])\s*>+")
_HARMLESS = str.maketrans("<>[]_▁", "‹›()  ", "|｜")
_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufff9-\ufffb]")


def without_marks(text: str) -> str:
    """Return ``text`` on one line, with nothing that could pass for a mark or control token.

    All words stay: a mark gets other brackets, ``‹think›`` for ``<think>``, and is split into words. Of nested marks
    the inner one is changed, which leaves no outer one.
    """
    text = _HALF_MARK.sub(_harmless, _MARK.sub(_harmless, _UNSEEN.sub("", text)))
    return " ".join(text.split())


def _harmless(mark: re.Match[str]) -> str:
    return mark.group().translate(_HARMLESS)
