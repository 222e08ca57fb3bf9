"""The shipped language model's files in both forms, its tokenizer, and a meeting that it never saw."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment
from maie_training.evaluate_llm import load_writer, measure
from maie_training.llm import tokenizer as tokenizers
from maie_training.llm.samples import SampleWriter
from maie_training.llm.views import view_meeting
from maie_training.meetings import MeetingComposer, Wording
from maie_training.names import invented_word
from maie_training.splits import Split
from tokenizers import Tokenizer

MODELS = Path(__file__).resolve().parents[2] / "files" / "models"
CTRANSLATE2 = MODELS / "maie-llm-en-v1"
HUGGING_FACE = MODELS / "maie-llm-en-v1-hf"
MOST_BYTES = {CTRANSLATE2: 13_000_000, HUGGING_FACE: 26_000_000}


@pytest.fixture(scope="module")
def shipped() -> Tokenizer:
    return Tokenizer.from_file(str(CTRANSLATE2 / "tokenizer.json"))


@pytest.mark.parametrize("folder", MOST_BYTES, ids=lambda folder: folder.name)
def test_the_files_are_those_that_the_checksums_name(folder: Path) -> None:
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    names = [line.split()[1] for line in lines]
    assert set(names) == {path.name for path in folder.iterdir()} - {"SHA256SUMS", "MODEL_CARD.md"}
    for line in lines:
        digest, name = line.split()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name


@pytest.mark.parametrize("folder", MOST_BYTES, ids=lambda folder: folder.name)
def test_the_model_folder_is_small(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) <= MOST_BYTES[folder]


def test_both_forms_have_the_same_tokenizer() -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (CTRANSLATE2 / name).read_bytes() == (HUGGING_FACE / name).read_bytes()


def test_the_vocabulary_is_that_of_the_tokenizer(shipped: Tokenizer) -> None:
    vocabulary = json.loads((CTRANSLATE2 / "vocabulary.json").read_text())
    assert vocabulary == [shipped.id_to_token(number) for number in range(shipped.get_vocab_size())]
    assert tuple(vocabulary[-3:]) == tokenizers.SPECIAL_TOKENS
    assert len(vocabulary) == tokenizers.VOCABULARY


def test_the_configuration_is_a_plain_qwen3_for_old_and_new_readers() -> None:
    config = json.loads((HUGGING_FACE / "config.json").read_text())
    assert config["architectures"] == ["Qwen3ForCausalLM"]
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 10_000
    assert config["dtype"] == config["torch_dtype"] == "bfloat16"
    assert config["head_dim"] == 64
    assert config["tie_word_embeddings"]
    assert config["vocab_size"] == tokenizers.VOCABULARY


def test_the_chat_template_makes_what_training_used(shipped: Tokenizer) -> None:
    config = json.loads((HUGGING_FACE / "tokenizer_config.json").read_text())
    assert config["chat_template"] == tokenizers.CHAT_TEMPLATE
    template = ImmutableSandboxedEnvironment().from_string(config["chat_template"])
    writer = SampleWriter("chat")
    for _ in range(5):
        chat = writer.draw().chat
        text = template.render(messages=chat, add_generation_prompt=True)
        assert text == tokenizers.chat_text(chat)
        assert shipped.encode(text).tokens.count(tokenizers.START) == len(chat) + 1


def test_a_name_is_cut_alike_wherever_it_stands(shipped: Tokenizer) -> None:
    rng = random.Random(1)
    for _ in range(200):
        name = invented_word(rng, "heldout")
        texts = (f"{name}", f" {name}", f'"{name}"', f"({name})")
        rests = {tuple(shipped.encode(text).tokens[1:]) for text in texts[:2]}
        rests |= {tuple(shipped.encode(text).tokens[2:-1]) for text in texts[2:]}
        assert len(rests) == 1, rests


def test_digits_are_single_and_text_survives(shipped: Tokenizer) -> None:
    assert shipped.encode("2026-11-22").tokens == list("2026-11-22")
    for text in (" Zoe ♪ über 漢 'x' -- 5,000\n\nA: b", '{"a": ["b", null], "c": "d \\"e\\""}'):
        assert shipped.decode(shipped.encode(text).ids) == text


def test_the_same_seed_gives_the_same_tokenizer() -> None:
    first, again, other = (tokenizers.build(seed, 100).to_str() for seed in (5, 5, 6))
    assert first == again != other


def test_it_writes_notes_and_clean_text_of_a_meeting_with_names_it_never_saw() -> None:
    rng = random.Random(20)
    composer = MeetingComposer(rng, Split("heldout", "heldout"), 0.5, (1, 1), Wording("wide", "invented", True))
    figures = measure(load_writer(CTRANSLATE2, threads=0), [view_meeting(composer.compose(), rng, "labels")])
    assert figures["clean_wer"] <= 0.03
    assert figures["names_and_numbers_kept"] >= 0.99
    assert figures["lines_kept"] == figures["meetings"]
    assert figures["notes_valid"] == 1
    assert figures["notes_without_error"] == 1
