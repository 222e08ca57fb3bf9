"""The figures of a model from which its memory follows: read from its files, or from the catalogue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from maie.errors import ConfigurationError
from maie.models import ct2file
from maie.models.catalogue import catalogue
from maie.models.files import model_name


@dataclass(frozen=True)
class ModelFigures:
    """The size and shape of a model.

    Attributes:
        files_bytes: Bytes of the weights on disk.
        parameters: Numbers in the weights; what is packed counts unpacked.
        layers: Layers of the decoder.
        width: Numbers in the state of one token.
        inner: Numbers in the middle of a feed-forward block.
        heads: Heads of attention.
        kv_heads: Heads whose keys and values are kept.
        head_size: Numbers in a head.
        vocabulary: Tokens that the model knows.
        context_tokens: Most tokens of prompt and reply; None where the model does not say.
        packed: Whether the weights stay as small as they are on disk, whatever they are computed with (AWQ, GPTQ).
    """

    name: str
    files_bytes: int
    parameters: int
    layers: int
    width: int
    inner: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    context_tokens: int | None = None
    packed: bool = False


def figures(model: Path, folders: Sequence[Path] = ()) -> ModelFigures:
    """Return the figures of a model.

    Args:
        model: Its folder. Where there is none, its name is looked for.
        folders: Where else a folder of that name may be.

    Raises:
        ConfigurationError: It is nowhere, and not in the catalogue either; or its files are not understood.
    """
    name = model_name(model)
    for folder in [model, *(folder / name for folder in folders)]:
        if (folder / "model.bin").is_file():
            return _of_ctranslate2(folder, name)
        if (folder / "config.json").is_file():
            return _of_hugging_face(folder, name)
    known = catalogue().get(name)
    if known is None:
        raise ConfigurationError(f"There is no model in {model}, and the catalogue has none of the name {name}.")
    return ModelFigures(name=name, **known.figures)


def _of_ctranslate2(folder: Path, name: str) -> ModelFigures:
    path = folder / "model.bin"
    found = ct2file.variables(path)
    try:
        heads = found["decoder/num_heads"].number or 0
        width = found["decoder/embeddings/weight"].shape[1]
        vocabulary = found["decoder/embeddings/weight"].shape[0]
        inner = found["decoder/layer_0/ffn/linear_0/weight"].shape[0]
    except (KeyError, IndexError) as error:
        raise ConfigurationError(f"{path} is not built like a Whisper or Qwen model: {error} is missing.") from error
    kv_heads = found.get("decoder/layer_0/self_attention/num_heads_kv")
    head_size = found.get("decoder/layer_0/self_attention/head_dim")
    about = folder / "tokenizer_config.json"
    context = json.loads(about.read_text(encoding="utf-8")).get("model_max_length") if about.is_file() else None
    return ModelFigures(
        name=name,
        files_bytes=path.stat().st_size,
        parameters=sum(v.elements for key, v in found.items() if v.shape and not key.endswith("_scale")),
        layers=sum(key.startswith("decoder/layer_") and key.endswith("/ffn/linear_0/weight") for key in found),
        width=width,
        inner=inner,
        heads=heads,
        kv_heads=(kv_heads.number if kv_heads else None) or heads,
        head_size=(head_size.number if head_size else None) or width // heads,
        vocabulary=vocabulary,
        context_tokens=int(context) if context else None,
        packed=any(key.endswith("/weight_zero") for key in found),
    )


def _of_hugging_face(folder: Path, name: str) -> ModelFigures:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        heads, width = config["num_attention_heads"], config["hidden_size"]
        layers, inner, vocabulary = config["num_hidden_layers"], config["intermediate_size"], config["vocab_size"]
        kv_heads, head_size = config.get("num_key_value_heads", heads), config.get("head_dim", width // heads)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(f"The model in {folder} does not tell its figures: {error}") from error
    attention = width * head_size * 2 * (heads + kv_heads)
    return ModelFigures(
        name=name,
        files_bytes=size,
        parameters=layers * (attention + 3 * width * inner) + vocabulary * width,
        layers=layers,
        width=width,
        inner=inner,
        heads=heads,
        kv_heads=kv_heads,
        head_size=head_size,
        vocabulary=vocabulary,
        context_tokens=config.get("max_position_embeddings"),
        packed="quantization_config" in config,
    )
