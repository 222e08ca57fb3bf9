"""Put the adapter into the model, and write it in both of its forms: CTranslate2 (int8) and Hugging Face (bfloat16).

``python -m maie_training.adapter.export --gguf FILE --adapter FILE --out FOLDER --hf-out FOLDER``

Both forms have the same weights, rounded to bfloat16. The same inputs give the same bytes, on every machine.
"""

from __future__ import annotations

import argparse
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from ctranslate2.specs import common_spec, transformer_spec

from maie_training.adapter.base import BaseModel, Floats
from maie_training.adapter.lora import Adapter, read_adapter

_ATTENTION = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
_OTHERS = ("self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
_NORMS = ("input_layernorm", "post_attention_layernorm")


def rounded(values: Floats) -> Floats:
    """Round to the nearest bfloat16, in float32."""
    bits: npt.NDArray[np.uint32] = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    nearest: npt.NDArray[np.uint32] = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    cut: npt.NDArray[np.uint32] = nearest & np.uint32(0xFFFF0000)
    return cut.view(np.float32)


class MergedModel:
    """The model with the adapter in it, rounded to bfloat16; without an adapter the model as it is."""

    def __init__(self, base: BaseModel, adapter: Adapter | None) -> None:
        self.base = base
        self._adapter = adapter or {}

    def weight(self, layer: int, part: str) -> Floats:
        """Return the weights of a part of a layer, output × input."""
        weight = self.base.weight(layer, part)
        change = self._adapter.get((layer, part))
        return rounded(change.added_to(weight) if change else weight)

    def bias(self, layer: int, part: str) -> Floats:
        """Return what a part of the attention adds."""
        return rounded(self.base.bias(layer, part))


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_tokenizer(base: BaseModel, out: Path) -> None:
    base.tokenizer().save(str(out / "tokenizer.json"))
    _write_json(
        out / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "add_bos_token": False,
            "bos_token": None,
            "eos_token": base.end,
            "pad_token": base.pad,
            "clean_up_tokenization_spaces": False,
            "model_max_length": base.shape.context,
            "chat_template": base.chat_template,
        },
    )


def write_ctranslate2(model: MergedModel, out: Path) -> None:
    """Write model.bin, config.json, vocabulary.json and the tokenizer's two files."""
    base, shape = model.base, model.base.shape
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        shape.layers,
        shape.heads,
        activation=common_spec.Activation.SWISH,
        pre_norm=True,
        ffn_glu=True,
        rms_norm=True,
        rotary_dim=0,
        rotary_interleave=False,
        rotary_base=shape.rope_base,
        num_heads_kv=shape.kv_heads,
    )
    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = decoder.projection.weight = rounded(base.embedding)
    decoder.layer_norm.gamma = rounded(base.last_norm)
    for number, layer in enumerate(decoder.layer):
        attention, feed_forward = layer.self_attention, layer.ffn
        attention.layer_norm.gamma = model.weight(number, "input_layernorm")
        attention.linear[0].weight = np.concatenate([model.weight(number, part) for part in _ATTENTION])
        attention.linear[0].bias = np.concatenate([model.bias(number, part) for part in _ATTENTION])
        attention.linear[1].weight = model.weight(number, "self_attn.o_proj")
        feed_forward.layer_norm.gamma = model.weight(number, "post_attention_layernorm")
        feed_forward.linear_0.weight = model.weight(number, "mlp.gate_proj")
        feed_forward.linear_0_noact.weight = model.weight(number, "mlp.up_proj")
        feed_forward.linear_1.weight = model.weight(number, "mlp.down_proj")
    spec.register_vocabulary(base.tokens)
    spec.config.bos_token = base.pad
    spec.config.eos_token = base.end
    spec.config.unk_token = ""
    spec.config.layer_norm_epsilon = shape.epsilon
    spec.validate()
    spec.optimize(quantization="int8")
    out.mkdir(parents=True, exist_ok=True)
    spec.save(str(out))
    _write_tokenizer(base, out)


def _tensors(model: MergedModel) -> Iterator[tuple[str, tuple[int, ...], Callable[[], Floats]]]:
    """Name, shape and weights of what Hugging Face's file has."""
    base, shape = model.base, model.base.shape
    head = shape.width // shape.heads
    key = shape.kv_heads * head
    sizes = {
        "self_attn.q_proj": (shape.width, shape.width),
        "self_attn.k_proj": (key, shape.width),
        "self_attn.v_proj": (key, shape.width),
        "self_attn.o_proj": (shape.width, shape.width),
        "mlp.gate_proj": (shape.inner, shape.width),
        "mlp.up_proj": (shape.inner, shape.width),
        "mlp.down_proj": (shape.width, shape.inner),
        "input_layernorm": (shape.width,),
        "post_attention_layernorm": (shape.width,),
    }
    yield "model.embed_tokens.weight", (len(base.tokens), shape.width), lambda: rounded(base.embedding)
    for number in range(shape.layers):
        for part in (*_ATTENTION, *_OTHERS, *_NORMS):
            name = f"model.layers.{number}.{part}"
            yield f"{name}.weight", sizes[part], lambda n=number, p=part: model.weight(n, p)  # type: ignore[misc]
            if part in _ATTENTION:
                yield f"{name}.bias", sizes[part][:1], lambda n=number, p=part: model.bias(n, p)  # type: ignore[misc]
    yield "model.norm.weight", (shape.width,), lambda: rounded(base.last_norm)


def _write_safetensors(model: MergedModel, file: BinaryIO) -> None:
    """Write the length of a JSON header, the header, and the weights one after the other."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape, _ in _tensors(model):
        start, end = end, end + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)
    for name, shape, weights in _tensors(model):
        values = weights()
        if values.shape != shape:
            raise ValueError(f"{name}: {values.shape}, not {shape}")
        file.write((values.view(np.uint32) >> np.uint32(16)).astype("<u2").tobytes())


def write_hugging_face(model: MergedModel, out: Path) -> None:
    """Write model.safetensors, config.json, generation_config.json and the tokenizer's two files.

    Older readers of config.json look for ``rope_theta`` and ``torch_dtype``, newer ones for
    ``rope_parameters`` and ``dtype``: it has all of them.
    """
    base, shape = model.base, model.base.shape
    out.mkdir(parents=True, exist_ok=True)
    with (out / "model.safetensors").open("wb") as file:
        _write_safetensors(model, file)
    end, pad = base.tokens.index(base.end), base.tokens.index(base.pad)
    _write_json(
        out / "config.json",
        {
            "architectures": ["Qwen2ForCausalLM"],
            "model_type": "qwen2",
            "dtype": "bfloat16",
            "torch_dtype": "bfloat16",
            "vocab_size": len(base.tokens),
            "hidden_size": shape.width,
            "intermediate_size": shape.inner,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.kv_heads,
            "max_position_embeddings": shape.context,
            "rms_norm_eps": shape.epsilon,
            "rope_theta": shape.rope_base,
            "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_base},
            "rope_scaling": None,
            "hidden_act": "silu",
            "tie_word_embeddings": True,
            "use_sliding_window": False,
            "bos_token_id": pad,
            "eos_token_id": end,
        },
    )
    _write_json(out / "generation_config.json", {"do_sample": False, "eos_token_id": [end, pad], "pad_token_id": pad})
    _write_tokenizer(base, out)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the forms that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, help="none: the model as its maker gives it")
    parser.add_argument("--out", type=Path, help="for CTranslate2")
    parser.add_argument("--hf-out", type=Path, help="for vLLM")
    arguments = parser.parse_args(argv)
    adapter = read_adapter(arguments.adapter) if arguments.adapter else None
    model = MergedModel(BaseModel(arguments.gguf), adapter)
    if arguments.out:
        write_ctranslate2(model, arguments.out)
    if arguments.hf_out:
        write_hugging_face(model, arguments.hf_out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
