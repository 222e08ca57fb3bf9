"""A byte-level BPE tokenizer for the language model, made from the project's own text.

A capital letter is a token of its own, so that what follows it in a name is cut alike wherever the
name stands; digits are single tokens.
"""

from __future__ import annotations

from collections.abc import Iterator

from maie.prompting.prompts import Message
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from maie_training.llm.samples import SampleWriter

VOCABULARY = 2_048
END_OF_TEXT = "<|endoftext|>"
START = "<|im_start|>"
END = "<|im_end|>"
SPECIAL_TOKENS = (END_OF_TEXT, START, END)

_PIECES = r" ?\p{Lu}| ?[^\W\d_\p{Lu}]+|\p{N}| ?[^\s\p{L}\p{N}]+|\n+|\s"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def chat_text(chat: list[Message]) -> str:
    """Return what :data:`CHAT_TEMPLATE` makes of a chat, up to where the answer begins."""
    parts = [f"{START}{message['role']}\n{message['content']}{END}\n" for message in chat]
    return "".join([*parts, f"{START}assistant\n"])


def training_text(seed: int, count: int) -> Iterator[str]:
    """Yield prompts and answers of the training side."""
    writer = SampleWriter(f"tokenizer/{seed}")
    for _ in range(count):
        sample = writer.draw()
        yield from (message["content"] for message in sample.chat)
        yield sample.answer


def build(seed: int, count: int = 6_000) -> Tokenizer:
    """Return the tokenizer; the same seed gives the same one."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(training_text(seed, count), trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    return tokenizer
