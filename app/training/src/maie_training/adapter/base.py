"""A public language model as its maker gives it: one GGUF file of the family Qwen2."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

Floats = npt.NDArray[np.float32]

_SPECIAL = 3  # GGUF's kind of the tokens that are no text
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# What Hugging Face calls the parts of a layer, and GGUF's names of them.
PARTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


@dataclass(frozen=True)
class Shape:
    """The sizes of a model; ``rope_base`` is the base of the rotary positions, ``epsilon`` that of its norms."""

    layers: int
    width: int
    inner: int
    heads: int
    kv_heads: int
    context: int
    rope_base: float
    epsilon: float


class BaseModel:
    """Weights and tokenizer of a GGUF file. Weights are read when they are asked for: all at once take 2 GB."""

    def __init__(self, path: Path) -> None:
        self._reader = gguf.GGUFReader(path)
        family = self._field("general.architecture")
        if family != "qwen2":
            raise ValueError(f"{path}: a model of the family {family}, not qwen2")
        self._tensors = {tensor.name: tensor for tensor in self._reader.tensors}
        self.shape = Shape(
            layers=self._field("qwen2.block_count"),
            width=self._field("qwen2.embedding_length"),
            inner=self._field("qwen2.feed_forward_length"),
            heads=self._field("qwen2.attention.head_count"),
            kv_heads=self._field("qwen2.attention.head_count_kv"),
            context=self._field("qwen2.context_length"),
            rope_base=self._field("qwen2.rope.freq_base"),
            epsilon=self._field("qwen2.attention.layer_norm_rms_epsilon"),
        )
        self.tokens: list[str] = self._field("tokenizer.ggml.tokens")
        self.end = self.tokens[self._field("tokenizer.ggml.eos_token_id")]
        self.pad = self.tokens[self._field("tokenizer.ggml.padding_token_id")]
        self.chat_template: str = self._field("tokenizer.chat_template")

    def _field(self, name: str) -> Any:
        return self._reader.fields[name].contents()

    def _weight(self, name: str) -> Floats:
        tensor = self._tensors[name]
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        return values.reshape(tuple(int(size) for size in reversed(tensor.shape)))

    @property
    def embedding(self) -> Floats:
        """The words' vectors, tokens × width. They are the output's too, which some files keep more exactly."""
        return self._weight("output.weight" if "output.weight" in self._tensors else "token_embd.weight")

    @property
    def last_norm(self) -> Floats:
        """The weights of the norm after the last layer."""
        return self._weight("output_norm.weight")

    def weight(self, layer: int, part: str) -> Floats:
        """Return the weights of a part of :data:`PARTS`, output × input."""
        return self._weight(f"blk.{layer}.{PARTS[part]}.weight")

    def bias(self, layer: int, part: str) -> Floats:
        """Return what a part of the attention adds."""
        return self._weight(f"blk.{layer}.{PARTS[part]}.bias")

    def tokenizer(self) -> Tokenizer:
        """Build the tokenizer out of the file's words and merges."""
        merges = [tuple(merge.split(" ")) for merge in self._field("tokenizer.ggml.merges")]
        tokenizer = Tokenizer(models.BPE(vocab={word: k for k, word in enumerate(self.tokens)}, merges=merges))
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_WORDS), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
        kinds = self._field("tokenizer.ggml.token_type")
        special = [word for word, kind in zip(self.tokens, kinds, strict=True) if kind == _SPECIAL]
        tokenizer.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in special])
        return tokenizer
