"""The shipped recogniser's files, and the tokenizer that they were made with."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest
from audiofiles import MODEL, REFERENCE, SAMPLE
from faster_whisper.tokenizer import Tokenizer as WhisperTokenizer
from maie_training.asr import tokenizer as tokenizers
from maie_training.sentences import Writer
from maie_training.splits import Split, side_of
from tokenizers import Tokenizer

MOST_BYTES = 12_000_000


@pytest.fixture(scope="module")
def shipped() -> Tokenizer:
    return Tokenizer.from_file(str(MODEL / "tokenizer.json"))


def build(seed: int) -> Tokenizer:
    return tokenizers.build(seed, sentences=3000, meetings=20)


@pytest.fixture(scope="module")
def new() -> Tokenizer:
    return build(5)


def test_the_files_are_those_that_the_checksums_name() -> None:
    lines = (MODEL / "SHA256SUMS").read_text().splitlines()
    names = [line.split()[1] for line in lines]
    assert set(names) == {path.name for path in MODEL.iterdir()} - {"SHA256SUMS", "MODEL_CARD.md"}
    for line in lines:
        digest, name = line.split()
        assert hashlib.sha256((MODEL / name).read_bytes()).hexdigest() == digest, name


def test_the_model_folder_is_small() -> None:
    assert sum(path.stat().st_size for path in MODEL.iterdir()) <= MOST_BYTES


def test_the_same_seed_gives_the_same_tokenizer(new: Tokenizer) -> None:
    assert build(5).to_str() == new.to_str()
    assert build(6).to_str() != new.to_str()


def test_special_tokens_follow_the_text_and_timestamps_follow_them(shipped: Tokenizer) -> None:
    layout = tokenizers.Layout(shipped)
    assert layout.end_of_text == tokenizers.TEXT_TOKENS
    assert layout.no_timestamps == tokenizers.TEXT_TOKENS + len(tokenizers.SPECIAL_TOKENS) - 1
    vocabulary = json.loads((MODEL / "vocabulary.json").read_text())
    assert len(vocabulary) == layout.size
    assert vocabulary[layout.timestamp(0.0)] == "<|0.00|>"
    assert vocabulary[layout.timestamp(30.0)] == "<|30.00|>"


def test_text_survives_the_tokenizer(shipped: Tokenizer) -> None:
    writer = Writer(random.Random(3), Split())
    for text in [" Zoe ♪ über 漢 'x' -- 5", *(f" {writer.single().verbatim}" for _ in range(200))]:
        assert shipped.decode(shipped.encode(text).ids) == text


@pytest.mark.parametrize("made", ["shipped", "new"])
def test_what_a_recogniser_suppresses_is_no_part_of_words(made: str, request: pytest.FixtureRequest) -> None:
    tokenizer: Tokenizer = request.getfixturevalue(made)
    suppressed = set(WhisperTokenizer(tokenizer, multilingual=False).non_speech_tokens)
    writer = Writer(random.Random(4), Split())
    for _ in range(1000):
        text = writer.single().verbatim
        assert not suppressed & set(tokenizer.encode(f" {text}").ids), text


def test_the_sample_is_a_held_out_meeting_of_three_people() -> None:
    reference = json.loads(Path(REFERENCE).read_text())
    assert reference["split"]["sentences"] == "heldout"
    assert reference["voice_set"] == "heldout"
    assert len({turn["speaker"] for turn in reference["turns"]}) == 3
    assert 30 <= reference["duration"] <= 60
    assert SAMPLE.stat().st_size == pytest.approx(44 + reference["duration"] * 32_000, abs=400)
    held_out = [turn["clean"] for turn in reference["turns"] if side_of("sentence", turn["clean"]) == "heldout"]
    assert held_out
    assert reference["notes"]["decisions"]
    assert all(item["due_date"] for item in reference["notes"]["action_items"])
