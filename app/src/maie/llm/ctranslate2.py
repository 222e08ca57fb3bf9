"""A language model in this process: CTranslate2, with the chat format that the model's own files give."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from maie.errors import ConfigurationError, LlmInputTooLong
from maie.exhaustion import is_out_of_memory
from maie.llm.base import PROMPT_SHARE, Chat, Reply, Tally, Token
from maie.llm.tokens import tokens_of
from maie.models.files import model_name, model_sha256
from maie.prompting.prompts import Message
from maie.settings import Settings


class ChatFormat:
    """How a model wants its chats written, as its ``tokenizer_config.json`` says.

    Attributes:
        ends: The tokens that end a reply.
        most_tokens: The longest context by the model's own files.
    """

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        beside = folder / "chat_template.jinja"
        source = beside.read_text(encoding="utf-8") if beside.is_file() else about["chat_template"]
        self._marks = {name: _token(about.get(name)) for name in ("bos_token", "eos_token", "pad_token")}
        self._template = _template(source)
        self.ends = [token for token in (self._marks["eos_token"], self._marks["pad_token"]) if token]
        self.most_tokens = int(about["model_max_length"])

    def render(self, messages: Sequence[Message]) -> str:
        """Return the chat as text up to where the reply begins, with the model's thinking turned off."""
        return self._template.render(
            messages=list(messages), add_generation_prompt=True, enable_thinking=False, tools=None, **self._marks
        )


def _token(value: Any) -> str | None:
    """Return a token that a tokenizer's configuration names, as a text or as an object with its content."""
    token: str | None = value["content"] if isinstance(value, dict) else value
    return token


def _template(source: str) -> Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    return environment.from_string(source)


class CTranslate2Model:
    """A model that answers greedily; nothing holds its replies to a schema."""

    def __init__(self, generator: Any, tokenizer: Any, chat_format: ChatFormat, context_tokens: int, folder: Path):
        # A thread of CTranslate2 holds the last answer's callback, and aborts the process if the
        # interpreter is gone before it. So the generator has to go first, at exit too.
        self._loaded = [generator]
        weakref.finalize(self, self._loaded.clear)
        self._tokenizer = tokenizer
        self._format = chat_format
        self.name = model_name(folder)
        self.context_tokens = context_tokens
        self.versions: dict[str, Any] = {
            "backend": "ctranslate2",
            "name": self.name,
            "sha256": model_sha256(folder),
            "device": generator.device,
            "compute_type": generator.compute_type,
        }

    def _tokens(self, messages: Sequence[Message]) -> list[str]:
        tokens: list[str] = self._tokenizer.encode(self._format.render(messages), add_special_tokens=False).tokens
        return tokens

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Return the tokens of a chat."""
        return len(self._tokens(messages))

    def reply(self, chat: Chat, on_tokens: Callable[[int], None]) -> Reply:
        """Return the model's reply.

        Raises:
            LlmInputTooLong: The chat and its reply don't fit in the model's context.
        """
        return self.replies([chat], on_tokens)[0]

    def replies(self, chats: Sequence[Chat], on_tokens: Callable[[int], None]) -> list[Reply]:
        """Return the replies to some chats, several of which are written in one go where the context has room for them.

        Each token costs a pass over all the weights, whether it is written for one chat or for many.

        Raises:
            LlmInputTooLong: A chat and its reply don't fit in the model's context.
        """
        replies: list[Reply] = []
        tally = Tally(on_tokens)
        for batch in self._batches(chats):
            tally.next()
            replies += self._answer(batch, tally.tell)
        return replies

    def _batches(self, chats: Sequence[Chat]) -> Iterator[list[tuple[Chat, list[str]]]]:
        """Yield chats with their tokens; those of a batch need no more room together than the longest chat that fits.

        Raises:
            LlmInputTooLong: A chat and its reply don't fit in the model's context.
        """
        batch: list[tuple[Chat, list[str]]] = []
        for chat in chats:
            prompt = self._tokens(chat.messages)
            if len(prompt) + chat.max_tokens > self.context_tokens:
                raise LlmInputTooLong
            wider = [*batch, (chat, prompt)]
            if batch and not self._has_room(wider):
                yield batch
                wider = wider[-1:]
            batch = wider
        if batch:
            yield batch

    def _has_room(self, batch: Sequence[tuple[Chat, Sequence[str]]]) -> bool:
        """Whether the context has room for a batch, whose chats take as much each as the longest of them."""
        prompts = len(batch) * max(len(prompt) for _, prompt in batch)
        replies = len(batch) * max(chat.max_tokens for chat, _ in batch)
        return prompts + replies <= self.context_tokens and prompts <= self.context_tokens * PROMPT_SHARE

    def _answer(self, batch: Sequence[tuple[Chat, list[str]]], on_tokens: Callable[[int], None]) -> list[Reply]:
        log_probabilities: list[list[float]] = [[] for _ in batch]

        def tell(step: Any) -> bool:
            log_probabilities[step.batch_id].append(step.log_prob or 0.0)
            on_tokens(sum(map(len, log_probabilities)))
            return bool(len(log_probabilities[step.batch_id]) >= batch[step.batch_id][0].max_tokens)

        results = self._loaded[0].generate_batch(
            [prompt for _, prompt in batch],
            max_length=max(chat.max_tokens for chat, _ in batch),
            sampling_topk=1,
            include_prompt_in_result=False,
            end_token=self._format.ends,
            return_end_token=True,
            return_scores=any(chat.tells_tokens for chat, _ in batch),
            callback=tell,
        )
        return [
            self._reply(chat, len(prompt), result, log_probabilities[number])
            for number, ((chat, prompt), result) in enumerate(zip(batch, results, strict=True))
        ]

    def _reply(self, chat: Chat, prompt_tokens: int, result: Any, log_probabilities: Sequence[float]) -> Reply:
        tokens, ids = result.sequences[0], result.sequences_ids[0]
        ended = bool(tokens) and tokens[-1] in self._format.ends
        written = ids[:-1] if ended else ids
        text = self._tokenizer.decode(written)
        told: tuple[Token, ...] = ()
        if chat.tells_tokens:
            pieces = (self._tokenizer.decode([token]) for token in written)
            told = tokens_of(text, zip(pieces, log_probabilities, strict=False))
        return Reply(text, not ended, prompt_tokens, len(ids), told)


def load(settings: Settings) -> CTranslate2Model:
    """Load the model of ``llm_model``; nothing is ever fetched from a hub.

    Raises:
        ConfigurationError: There is no such model, or this machine can't run it as it is configured.
        RuntimeError, MemoryError: There is no memory for it at present.
    """
    import ctranslate2
    from tokenizers import Tokenizer

    folder = settings.llm_model
    if folder is None or not (folder / "model.bin").is_file():
        raise ConfigurationError(f"MAIE_LLM_MODEL: there is no model in {folder}.")
    if settings.llm_device == "cuda" and ctranslate2.get_cuda_device_count() == 0:
        raise ConfigurationError("MAIE_LLM_DEVICE is cuda, but CTranslate2 finds no CUDA device.")
    try:
        chat_format = ChatFormat(folder)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        generator = ctranslate2.Generator(
            str(folder),
            device=settings.llm_device,
            compute_type=settings.llm_compute_type,
            intra_threads=settings.llm_threads,
        )
    except Exception as error:  # tokenizers raises nothing more special
        if is_out_of_memory(error):
            raise  # it may pass, and the settings may be right
        raise ConfigurationError(f"The language model can't be loaded: {error}") from error
    context = min(settings.llm_context_tokens, chat_format.most_tokens)
    return CTranslate2Model(generator, tokenizer, chat_format, context, folder)
