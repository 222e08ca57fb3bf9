"""A language model behind a server with OpenAI's chat completions: vLLM by default, or any other.

Only parameters that all of vLLM 0.11 to 0.20 know are sent. Sampling is always given, since vLLM would otherwise take
it from the model's own files. Speculation is set where the server starts; no request can.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from maie.errors import LlmInputTooLong, LlmTimeout, LlmUnavailable
from maie.httpclient import UNREADABLE, base_url, read_key, repeat
from maie.llm.base import Chat, Reply, Tally
from maie.llm.breaker import Breaker
from maie.llm.local_server import has_unit, wait_until_up
from maie.llm.tokens import tokens_of
from maie.llm.transport import PassingFailure, Refused, post
from maie.logs import get_logger
from maie.prompting.prompts import Message
from maie.settings import Settings

BREAKER_FAILURES = 2
BREAKER_SECONDS = 30.0
"""Failures in a row after which no request is sent, and for how many seconds."""

BYTES_PER_TOKEN = 2
"""For servers that don't count tokens: fewer than in almost any language, so that nothing is cut."""

TOKENS_PER_MESSAGE = 16

MAX_BYTES = 1024**2
CHUNK_BYTES = 2048
"""Most bytes of an answer, and of each token more that a reply may have: most of a stream is not text."""

T = TypeVar("T")
log = get_logger(__name__)


@dataclass
class _Stream:
    """A streamed reply, as far as it has come."""

    text: str = ""
    finish: str | None = None
    chunks: int = 0
    prompt_tokens: int = 0
    reply_tokens: int = 0
    pieces: list[tuple[str, float]] = field(default_factory=list)

    def add(self, event: Any) -> None:
        """Take one event of the stream.

        Raises:
            PassingFailure: It is not from a chat completion, or says that the server failed.
        """
        try:
            for choice in event["choices"]:
                self.text += choice["delta"].get("content") or ""
                self.finish = choice.get("finish_reason") or self.finish
                self.chunks += 1
                tokens = (choice.get("logprobs") or {}).get("content") or ()
                self.pieces += [(str(token["token"]), float(token["logprob"])) for token in tokens]
            if usage := event.get("usage"):
                self.prompt_tokens, self.reply_tokens = int(usage["prompt_tokens"]), int(usage["completion_tokens"])
        except UNREADABLE as error:
            raise PassingFailure("no chat completion") from error


class OpenAiModel:
    """A model that a server has; each request has a time limit, few retries and a circuit breaker before it.

    A server of this host's own unit is restarted when it has ended, which takes a minute or more on a board; a retry
    waits for it. ``context_tokens`` is the setting, or the server's own limit once a token count has told a smaller
    one.

    Args:
        key: The API key that the server expects, or None.
    """

    def __init__(self, settings: Settings, key: str | None) -> None:
        self._url = base_url("MAIE_LLM_URL", settings.llm_url)
        self._key = key
        self._seconds = settings.llm_timeout_seconds
        self._retries = settings.llm_retries
        self._breaker = Breaker(BREAKER_FAILURES, BREAKER_SECONDS)
        self._run_dir = settings.run_dir if has_unit(settings) else None
        self._counts = True
        self._tells_tokens = True
        self.name = settings.llm_model_name
        self.context_tokens = settings.llm_context_tokens
        self.versions: dict[str, Any] = {"backend": "openai", "name": self.name}

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Return the tokens of a chat as vLLM's ``/tokenize`` counts them.

        A server without that path is not asked again. A token for every two bytes is assumed then, which is too many:
        prompts are split early, and none is too long.

        Raises:
            LlmUnavailable: The server is away, broken, or refuses to answer.
            LlmTimeout: It didn't answer in time.
        """
        if self._counts:
            body = {"model": self.name, "messages": list(messages), "add_generation_prompt": True}
            try:
                return self._send(lambda deadline: self._count(body, deadline))
            except Refused as refusal:
                if refusal.status not in (404, 405, 501):
                    raise _refused(refusal) from refusal
                log.warning("the language model's server counts no tokens; they are estimated")
                self._counts = False
        return sum(len(m["content"].encode()) // BYTES_PER_TOKEN + TOKENS_PER_MESSAGE for m in messages)

    def _count(self, body: dict[str, Any], deadline: float) -> int:
        """Ask ``/tokenize``, which is beside ``/v1``, not below it."""
        url = f"{self._url.removesuffix('/v1')}/tokenize"
        try:
            answer = json.loads(b"".join(post(url, body, self._key, deadline, MAX_BYTES)))
            count, context = int(answer["count"]), int(answer.get("max_model_len") or self.context_tokens)
        except UNREADABLE as error:
            raise PassingFailure("no token count") from error
        self.context_tokens = min(self.context_tokens, context)
        return count

    def reply(self, chat: Chat, on_tokens: Callable[[int], None]) -> Reply:
        """Return the server's reply, read while it is written.

        A server that refuses to tell the tokens is not asked for them again.

        Raises:
            LlmInputTooLong: No room for a reply was left.
            LlmUnavailable: The server is away, broken, or refuses to answer.
            LlmTimeout: It didn't answer in time.
            LlmAnswerInvalid: The answer is larger than it may be.
        """
        if chat.max_tokens < 1:
            raise LlmInputTooLong
        body = self._body(chat)
        try:
            stream = self._send(lambda deadline: self._read(body, deadline, on_tokens))
        except Refused as refusal:
            if "logprobs" not in body or refusal.status not in (400, 422):
                raise _refused(refusal) from refusal
            reply = self.reply(replace(chat, tells_tokens=False), on_tokens)  # unless something else is refused
            log.warning("the language model's server tells no tokens")
            self._tells_tokens = False
            return reply
        number = stream.reply_tokens or stream.chunks
        # Half a character can't be stored, and its halves may come in two pieces.
        text = stream.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        tokens = tokens_of(text, stream.pieces) if chat.tells_tokens else ()
        return Reply(text, stream.finish == "length", stream.prompt_tokens, number, tokens)

    def replies(self, chats: Sequence[Chat], on_tokens: Callable[[int], None]) -> list[Reply]:
        """Return the server's replies, one after the other.

        Raises:
            LlmFailed: As for one chat.
        """
        replies: list[Reply] = []
        tally = Tally(on_tokens)
        for chat in chats:
            tally.next()
            replies.append(self.reply(chat, tally.tell))
        return replies

    def _body(self, chat: Chat) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.name,
            "messages": list(chat.messages),
            "max_tokens": chat.max_tokens,
            "temperature": 0.0,
            "top_p": 1.0,
            "seed": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if chat.tells_tokens and self._tells_tokens:
            body["logprobs"] = True
        if chat.schema is not None:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": chat.schema},
            }
        return body

    def _read(self, body: dict[str, Any], deadline: float, on_tokens: Callable[[int], None]) -> _Stream:
        """Send a chat and read the reply to its end.

        Raises:
            PassingFailure: There is no stream, it broke off, or it tells of a failure.
        """
        stream = _Stream()
        most_bytes = MAX_BYTES + CHUNK_BYTES * int(body["max_tokens"])
        url = f"{self._url}/chat/completions"
        with closing(post(url, body, self._key, deadline, most_bytes)) as lines:
            for event in _events(lines):
                stream.add(event)
                on_tokens(stream.chunks)
        if stream.finish is None:
            raise PassingFailure("the reply broke off")
        return stream

    def _send(self, call: Callable[[float], T]) -> T:
        """Send a request, and again after failures that may pass, all within the time limit.

        Args:
            call: Sends the request once, within the deadline that it is given.

        Raises:
            LlmUnavailable: It failed each time, the circuit breaker is open, or this host's own server did not start.
            LlmTimeout: The time was over.
            Refused: The server refuses it.
        """
        deadline = time.monotonic() + self._seconds
        if self._breaker.is_open:
            raise LlmUnavailable("The language model's server failed just before; it is left alone for a while.")
        is_trial = self._breaker.is_half_open and self._run_dir is None
        retries = 0 if is_trial else self._retries
        try:
            answer = repeat(
                lambda: call(deadline), retries, deadline, "language model's server", lambda: self._wait(deadline)
            )
        except PassingFailure as failure:
            self._breaker.failed()
            raise LlmUnavailable from failure
        except LlmTimeout:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return answer

    def _wait(self, deadline: float) -> None:
        if self._run_dir is not None:
            wait_until_up(self._url, self._key, self._run_dir, deadline)


def _events(lines: Iterator[bytes]) -> Iterator[Any]:
    """Yield the JSON values of a stream of server-sent events, up to its end mark.

    Raises:
        PassingFailure: It is no such stream.
    """
    for line in lines:
        field, _, value = line.strip().partition(b":")
        if field == b"data" and value.strip() == b"[DONE]":
            return
        if field == b"data":
            try:
                yield json.loads(value)
            except UNREADABLE as error:
                raise PassingFailure("no stream of JSON values") from error


def _refused(refusal: Refused) -> LlmUnavailable:
    return LlmUnavailable(f"The language model's server refuses the request (HTTP {refusal.status}).")


def load(settings: Settings) -> OpenAiModel:
    """Return the model of the server at ``llm_url``, which need not be up.

    Raises:
        ConfigurationError: The address is invalid, the key can't be read, or the folder of data is missing.
    """
    return OpenAiModel(settings, read_key(settings.credentials_dir / "llm_key"))
