"""What a model's folder says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from maie.models.files import MULTILINGUAL_TOKENS, asr_languages, model_name, model_sha256
from support.audiofiles import MODEL

LARGE_V2 = ["<|endoftext|>", "<|en|>", "<|vi|>", "<|haw|>", "<|translate|>", "<|0.00|>"]
LARGE_V2 += ["word"] * (MULTILINGUAL_TOKENS - len(LARGE_V2))
ENGLISH_ONLY = LARGE_V2[:-1]


def test_name_is_the_folders_or_above_a_digest(tmp_path: Path) -> None:
    versioned = tmp_path / "whisper-x" / "0123456789ab"
    versioned.mkdir(parents=True)
    assert model_name(versioned) == "whisper-x"
    assert model_name(versioned.parent) == "whisper-x"


def test_digest_of_the_weights(tmp_path: Path) -> None:
    assert model_sha256(tmp_path) is None
    (tmp_path / "SHA256SUMS").write_text("aa  config.json\nbb *./model.bin\n")
    assert model_sha256(tmp_path) == "bb"


@pytest.mark.parametrize(("tokens", "languages"), [(LARGE_V2, ("en", "vi", "haw")), (ENGLISH_ONLY, ("en",))])
def test_languages_of_a_whisper_vocabulary_in_either_form(
    tokens: list[str], languages: tuple[str, ...], tmp_path: Path
) -> None:
    newer, older = tmp_path / "newer", tmp_path / "older"
    newer.mkdir()
    older.mkdir()
    (newer / "vocabulary.json").write_text(json.dumps(tokens))
    (older / "vocabulary.txt").write_text("\n".join(tokens) + "\n")
    assert asr_languages(newer) == asr_languages(older) == languages


def test_languages_of_the_embedded_model_and_of_none(tmp_path: Path) -> None:
    assert asr_languages(MODEL) == ("en",)
    assert asr_languages(tmp_path) == ()
