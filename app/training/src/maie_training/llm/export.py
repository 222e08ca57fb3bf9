"""Write the trained model in both of its forms: CTranslate2 (int8) and Hugging Face (bfloat16).

``python -m maie_training.llm.export --weights DIR --out FOLDER --hf-out FOLDER``
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from ctranslate2.converters import TransformersConverter
from transformers import Qwen3ForCausalLM

from maie_training.llm.model import CONTEXT, ROPE_BASE
from maie_training.llm.tokenizer import CHAT_TEMPLATE, END, END_OF_TEXT, SPECIAL_TOKENS

_TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "add_bos_token": False,
    "bos_token": None,
    "eos_token": END,
    "pad_token": END_OF_TEXT,
    "additional_special_tokens": list(SPECIAL_TOKENS[1:2]),
    "clean_up_tokenization_spaces": False,
    "model_max_length": CONTEXT,
    "chat_template": CHAT_TEMPLATE,
}


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def export_hf(weights: Path, out: Path) -> None:
    """Write model.safetensors, config.json, generation_config.json and the tokenizer's two files.

    Older readers of config.json look for ``rope_theta`` and ``torch_dtype``, newer ones for
    ``rope_parameters`` and ``dtype``: it has all of them.
    """
    model = Qwen3ForCausalLM.from_pretrained(weights, dtype=torch.bfloat16)
    model.save_pretrained(out)
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    config.update(rope_theta=ROPE_BASE, rope_scaling=None, torch_dtype="bfloat16")
    _write(out / "config.json", config)
    _write(out / "tokenizer_config.json", _TOKENIZER)
    shutil.copyfile(weights / "tokenizer.json", out / "tokenizer.json")


def export_ctranslate2(hugging_face: Path, out: Path) -> None:
    """Write model.bin, config.json, vocabulary.json and the tokenizer's two files."""
    with tempfile.TemporaryDirectory() as folder:
        converted = Path(folder) / "converted"
        TransformersConverter(str(hugging_face)).convert(str(converted), quantization="int8")
        out.mkdir(parents=True, exist_ok=True)
        for name in ("model.bin", "config.json", "vocabulary.json"):
            shutil.copyfile(converted / name, out / name)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(hugging_face / name, out / name)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the conversion."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hf-out", type=Path, required=True)
    arguments = parser.parse_args(argv)
    export_hf(arguments.weights, arguments.hf_out)
    export_ctranslate2(arguments.hf_out, arguments.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
