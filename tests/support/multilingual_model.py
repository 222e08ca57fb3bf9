"""A Whisper model of three languages with random weights: it knows nothing, but each call of the real engine works."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ctranslate2.specs import WhisperSpec
from maie.models.files import MULTILINGUAL_TOKENS
from tokenizers import AddedToken, Tokenizer, models

LANGUAGES = ("en", "vi", "de")
_MARKS = ["endoftext", "startoftranscript", *LANGUAGES, "translate", "transcribe", "startoflm", "startofprev"]
_MARKS += ["nospeech", "notimestamps", *(f"{0.02 * step:.2f}" for step in range(1501))]
SPECIAL = [f"<|{mark}|>" for mark in _MARKS]
VOCABULARY = [f"w{place}" for place in range(MULTILINGUAL_TOKENS - len(SPECIAL))] + ["", *SPECIAL]
"""CTranslate2 takes a vocabulary for multilingual by its size, and since version 4.8 by its empty token."""

WIDTH, MEL_BINS = 16, 80
_SHAPES = {
    "conv1/weight": (WIDTH, MEL_BINS, 3),
    "conv2/weight": (WIDTH, WIDTH, 3),
    "self_attention/linear_0/weight": (3 * WIDTH, WIDTH),
    "attention/linear_1/weight": (2 * WIDTH, WIDTH),
    "ffn/linear_0/weight": (4 * WIDTH, WIDTH),
    "ffn/linear_1/weight": (WIDTH, 4 * WIDTH),
    "embeddings/weight": (len(VOCABULARY), WIDTH),
    "projection/weight": (len(VOCABULARY), WIDTH),
    "beta": (WIDTH,),
    "gamma": (WIDTH,),
}
"""By the end of a variable's name; ``self_attention/linear_1`` and all others are square."""


def make(folder: Path) -> Path:
    """Write the model into a folder, in CTranslate2 form, and return the folder."""
    random = np.random.default_rng(5)
    spec = WhisperSpec(1, 2, 1, 2)
    spec.encoder.position_encodings.encodings = random.normal(0, 1, (1500, WIDTH)).astype(np.float32)
    spec.decoder.position_encodings.encodings = random.normal(0, 1, (448, WIDTH)).astype(np.float32)
    for name, value in spec.variables().items():
        if value is None:
            _set(spec, name, random.normal(0, 0.5, _shape(name)).astype(np.float32))
    spec.config.lang_ids = [VOCABULARY.index(f"<|{language}|>") for language in LANGUAGES]
    spec.config.alignment_heads = [(0, 0)]
    spec.config.suppress_ids = spec.config.suppress_ids_begin = []
    spec.register_vocabulary(VOCABULARY)
    spec.validate()
    folder.mkdir(exist_ok=True)
    spec.save(str(folder))
    tokenizer = Tokenizer(models.WordLevel({token: place for place, token in enumerate(VOCABULARY)}, unk_token="w0"))
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def _shape(name: str) -> tuple[int, ...]:
    if name.endswith("self_attention/linear_1/weight"):
        return (WIDTH, WIDTH)
    return next((shape for end, shape in _SHAPES.items() if name.endswith(end)), (WIDTH, WIDTH))


def _set(spec: WhisperSpec, name: str, value: np.ndarray) -> None:
    """Set a variable of a specification by its path, e.g. ``encoder/layer_0/ffn/linear_0/weight``."""
    *path, last = name.split("/")
    layer = spec
    for part in path:
        kind, _, place = part.rpartition("_")
        layer = getattr(layer, part) if hasattr(layer, part) else getattr(layer, kind)[int(place)]
    setattr(layer, last, value)
