"""Write and read a recogniser's weights: two files of float16, and the tokenizer."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import WhisperForConditionalGeneration

from maie_training.asr.model import listen_to
from maie_training.asr.windows import LONG


def save(model: WhisperForConditionalGeneration, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the weights as float16 in two files, and the tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    listen_to(model, LONG)
    state = model.model.state_dict()
    for part in ("encoder", "decoder"):
        chosen = {
            name: tensor.to("cpu", torch.float16).contiguous()
            for name, tensor in state.items()
            if name.startswith(f"{part}.")
        }
        save_file(chosen, folder / f"{part}.safetensors")
    tokenizer.save(str(folder / "tokenizer.json"))


def load(model: WhisperForConditionalGeneration, folder: Path) -> None:
    """Load the weights that :func:`save` wrote."""
    listen_to(model, LONG)
    state = {
        name: tensor.float()
        for part in ("encoder", "decoder")
        for name, tensor in load_file(folder / f"{part}.safetensors").items()
    }
    model.model.load_state_dict(state)
    model.tie_weights()
