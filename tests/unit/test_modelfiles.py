"""What a model's folder says of itself."""

from __future__ import annotations

from pathlib import Path

from maie.modelfiles import model_name, model_sha256


def test_name_is_the_folders_or_above_a_digest(tmp_path: Path) -> None:
    versioned = tmp_path / "whisper-x" / "0123456789ab"
    versioned.mkdir(parents=True)
    assert model_name(versioned) == "whisper-x"
    assert model_name(versioned.parent) == "whisper-x"


def test_digest_of_the_weights(tmp_path: Path) -> None:
    assert model_sha256(tmp_path) is None
    (tmp_path / "SHA256SUMS").write_text("aa  config.json\nbb *./model.bin\n")
    assert model_sha256(tmp_path) == "bb"
