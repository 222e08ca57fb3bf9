"""What every language model can do, whatever runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from maie.prompting.prompts import Message

PROMPT_SHARE = 5 / 8
"""Share of the context that a prompt, or the prompts of a batch, have at most: the memory plan counts on it."""


@dataclass(frozen=True)
class Chat:
    """One request to a language model.

    It can't ask for n-gram speculation, which helps where an answer mostly copies its prompt: that is a flag of vLLM's
    server.

    Attributes:
        max_tokens: Tokens that the reply may have, the end token included.
        schema: JSON Schema of the reply, or None for plain text. An engine that can enforce it does so; as not every
            engine can, the caller validates the reply.
        tells_tokens: Whether the reply shall tell its tokens, as far as the engine can.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    schema: dict[str, Any] | None = None
    tells_tokens: bool = False


@dataclass(frozen=True)
class Token:
    """A piece of a reply.

    Attributes:
        text: Empty where a letter is made of several tokens, for all of them but the last.
        log_probability: How likely the model held it, as a natural logarithm.
    """

    text: str
    log_probability: float


@dataclass(frozen=True)
class Reply:
    """What the model wrote.

    Attributes:
        text: The reply without its end token.
        truncated: Whether the reply ended because ``max_tokens`` were used up.
        prompt_tokens: Tokens of the rendered chat.
        reply_tokens: Tokens of the reply.
        tokens: Their texts together are ``text``. Empty where they were not asked for, or the engine can't tell.
    """

    text: str
    truncated: bool
    prompt_tokens: int
    reply_tokens: int
    tokens: tuple[Token, ...] = ()


class Tally:
    """Tells how many tokens several replies have together, as they are written one after the other."""

    def __init__(self, on_tokens: Callable[[int], None]) -> None:
        self._on_tokens = on_tokens
        self._before = self._told = 0

    def next(self) -> None:
        """Note that another reply begins."""
        self._before = self._told

    def tell(self, tokens: int) -> None:
        """Tell how many tokens the present reply has."""
        self._told = self._before + tokens
        self._on_tokens(self._told)


class LanguageModel(Protocol):
    """A loaded model, or a server that has one.

    Attributes:
        name: The model's name.
        context_tokens: Tokens that a chat and its reply may have together.
        versions: What the task's ``versions`` say of the model.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - told above

    @property
    def context_tokens(self) -> int: ...  # noqa: D102

    @property
    def versions(self) -> dict[str, Any]: ...  # noqa: D102

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Return the tokens of a chat, its marks and the start of the reply included.

        Raises:
            LlmUnavailable: The server that would have to count them is away.
            LlmTimeout: The server didn't answer in time.
        """
        ...

    def reply(self, chat: Chat, on_tokens: Callable[[int], None]) -> Reply:
        """Return the model's reply; ``on_tokens`` is called now and then with the number of tokens so far.

        Raises:
            LlmInputTooLong: The chat leaves no room for a reply.
            LlmUnavailable: The engine can't answer at present.
            LlmTimeout: The answer took longer than its time limit.
            LlmAnswerInvalid: The answer is larger than it may be, or no answer at all.
        """
        ...

    def replies(self, chats: Sequence[Chat], on_tokens: Callable[[int], None]) -> list[Reply]:
        """Return the replies to some chats, in their order; ``on_tokens`` is told the tokens of all of them together.

        Raises:
            LlmFailed: As for one chat; the replies that had come are lost.
        """
        ...
