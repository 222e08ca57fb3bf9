"""Convert trained weights to the form that faster-whisper loads: CTranslate2, int8.

``python -m maie_training.asr.export --weights DIR --out files/models/maie-asr-en-v1``
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ctranslate2.converters import TransformersConverter
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from maie_training.asr.model import MEL_BINS, make_model
from maie_training.asr.tokenizer import SPECIAL_TOKENS, Layout
from maie_training.asr.weights import load

_PREPROCESSOR = {
    "feature_size": MEL_BINS,
    "sampling_rate": 16000,
    "hop_length": 160,
    "chunk_length": 30,
    "n_fft": 400,
}


def export(weights: Path, out: Path) -> None:
    """Write model.bin, config.json, vocabulary.json, tokenizer.json, preprocessor_config.json.

    ``weights`` is a folder that the training wrote. Files of ``out`` with these names are replaced.
    """
    tokenizer = Tokenizer.from_file(str(weights / "tokenizer.json"))
    model = make_model(Layout(tokenizer))
    load(model, weights)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=SPECIAL_TOKENS[0],
        additional_special_tokens=list(SPECIAL_TOKENS[1:]),
    )
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        wrapped.save_pretrained(folder)
        converted = Path(folder) / "converted"
        TransformersConverter(folder).convert(str(converted), quantization="int8")
        out.mkdir(parents=True, exist_ok=True)
        for name in ("model.bin", "config.json", "vocabulary.json"):
            shutil.copyfile(converted / name, out / name)
    shutil.copyfile(weights / "tokenizer.json", out / "tokenizer.json")
    text = json.dumps(_PREPROCESSOR, indent=2)
    (out / "preprocessor_config.json").write_text(text + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the conversion."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args(argv)
    export(arguments.weights, arguments.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
