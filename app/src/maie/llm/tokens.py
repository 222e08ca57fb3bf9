"""The tokens of a reply, cut so that their texts together are the reply's."""

from __future__ import annotations

from collections.abc import Iterable

from maie.llm.base import Token

MOST_SKIPPED = 8
"""Letters between a token and the one before, all of them made of several tokens each."""


def tokens_of(text: str, pieces: Iterable[tuple[str, float]]) -> tuple[Token, ...]:
    """Return the tokens of a reply.

    Engines and servers decode each token on its own: a part of a letter comes as U+FFFD, or escaped. Such a token has
    no text here, and the next one that is in the reply has the letter.

    Args:
        text: The reply.
        pieces: The tokens as decoded, with their log-probabilities; the end token may be among them.

    Returns:
        No tokens where none of them is in the reply, as with a server that tells their numbers.
    """
    tokens: list[Token] = []
    end = 0
    for piece, log_probability in pieces:
        if end == len(text):
            break
        at = text.find(piece, end, end + len(piece) + MOST_SKIPPED) if piece else -1
        start = end
        if at >= 0:
            end = at + len(piece)
        tokens.append(Token(text[start:end], log_probability))
    if not end:
        return ()
    return (*tokens[:-1], Token(tokens[-1].text + text[end:], tokens[-1].log_probability))
