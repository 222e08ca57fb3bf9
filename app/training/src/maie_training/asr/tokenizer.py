"""A byte-level BPE tokenizer in Whisper's English-only layout, made from the project's own text."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from maie_training.meetings import MeetingComposer
from maie_training.sentences import Writer
from maie_training.splits import Split

TEXT_TOKENS = 1_024
TIMESTAMPS = 1_501
SECONDS_PER_TIMESTAMP = 0.02
# Ids follow the text tokens in this order; the timestamps come after the last of these.
SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
# faster-whisper suppresses the first token of " -", of " '" and of " ♪" and its like. As one token
# each they cost nothing; in pieces the bare space would be suppressed, which rare words need.
_WHOLE = " - ' - '"
# In byte-level notation: a space, the first byte of all notes, and a byte that UTF-8 never has.
_SPACE, _NOTE, _UNUSED = "\u0120", "\u00e2", "\u00ff"


def training_text(seed: int, sentences: int, meetings: int) -> Iterator[str]:
    """Yield text of the training side, each sentence with the space that precedes it."""
    split = Split(sentences="train")
    writer = Writer(random.Random(f"tokenizer/{seed}"), split)
    for _ in range(sentences):
        yield f" {writer.single().verbatim}"
    composer = MeetingComposer(random.Random(f"tokenizer/{seed}/meetings"), split)
    for _ in range(meetings):
        for turn in composer.compose().turns:
            for sentence in turn.sentences:
                yield f" {sentence.verbatim}"
        yield _WHOLE * 20


def join_space_to_notes(tokenizer: Tokenizer) -> Tokenizer:
    """Return the tokenizer with one token for a space and a note's first byte.

    It takes the place of a token that no text needs, so that all other ids stay.
    """
    content = json.loads(tokenizer.to_str())
    vocabulary = content["model"]["vocab"]
    if _UNUSED in vocabulary:
        vocabulary[_SPACE + _NOTE] = vocabulary.pop(_UNUSED)
        content["model"]["merges"].append([_SPACE, _NOTE])
    return Tokenizer.from_str(json.dumps(content, ensure_ascii=False))


def build(seed: int, sentences: int = 40_000, meetings: int = 400) -> Tokenizer:
    """Return the tokenizer; the same seed gives the same one."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TEXT_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(training_text(seed, sentences, meetings), trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    return join_space_to_notes(tokenizer)


class Layout:
    """The ids of a tokenizer's special tokens and timestamps."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        (
            self.end_of_text,
            self.start_of_transcript,
            _,
            _,
            _,
            self.start_of_previous,
            self.no_speech,
            self.no_timestamps,
        ) = (tokenizer.token_to_id(token) for token in SPECIAL_TOKENS)
        self.first_timestamp = self.no_timestamps + 1
        self.size = self.first_timestamp + TIMESTAMPS

    def timestamp(self, seconds: float) -> int:
        """Return the token of a time within the window, 0 to 30 s."""
        return self.first_timestamp + min(round(seconds / SECONDS_PER_TIMESTAMP), TIMESTAMPS - 1)
