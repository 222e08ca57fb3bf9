"""A tiny model of the family Qwen2 as a GGUF file, and an adapter for it."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from maie_training.adapter.base import PARTS
from maie_training.adapter.lora import Adapter, average
from tokenizers import pre_tokenizers

LAYERS, WIDTH, INNER, HEADS, KV_HEADS = 2, 64, 96, 2, 1
HEAD = WIDTH // HEADS
BASE, EPSILON = 10_000.0, 1e-6
LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
MERGES = ["Ġ n", "Ġn o"]
TOKENS = [*LETTERS, "Ġn", "Ġno", "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SIZES = {
    "self_attn.q_proj": (WIDTH, WIDTH),
    "self_attn.k_proj": (HEAD, WIDTH),
    "self_attn.v_proj": (HEAD, WIDTH),
    "self_attn.o_proj": (WIDTH, WIDTH),
    "mlp.gate_proj": (INNER, WIDTH),
    "mlp.up_proj": (INNER, WIDTH),
    "mlp.down_proj": (WIDTH, INNER),
}


def write_tiny(path: Path) -> Path:
    """Write a model of two layers whose weights are noise, with a matrix of each kind in 8 bits."""
    noise = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_block_count(LAYERS)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_context_length(256)
    writer.add_rope_freq_base(BASE)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([1] * (len(TOKENS) - 3) + [3] * 3)
    writer.add_token_merges(MERGES)
    writer.add_eos_token_id(TOKENS.index("<|im_end|>"))
    writer.add_pad_token_id(TOKENS.index("<|endoftext|>"))
    writer.add_chat_template("{% for message in messages %}{{ message['content'] }}{% endfor %}")

    def add(name: str, shape: tuple[int, ...], spread: float, middle: float = 0.0) -> None:
        values = noise.normal(middle, spread, shape).astype(np.float32)
        if len(shape) == 1:
            writer.add_tensor(name, values)
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)

    add("token_embd.weight", (len(TOKENS), WIDTH), 0.5)
    add("output_norm.weight", (WIDTH,), 0.1, 1.0)
    for layer in range(LAYERS):
        for part, stem in PARTS.items():
            if part in SIZES:
                add(f"blk.{layer}.{stem}.weight", SIZES[part], 0.2)
            else:
                add(f"blk.{layer}.{stem}.weight", (WIDTH,), 0.1, 1.0)
            if stem in ("attn_q", "attn_k", "attn_v"):
                add(f"blk.{layer}.{stem}.bias", SIZES[part][:1], 0.2)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def made_adapter(strength: float = 0.3) -> Adapter:
    """Return an adapter of rank 2 for all of its matrices."""
    noise = np.random.default_rng(2)
    return {
        (layer, part): average([(noise.normal(0, strength, (rows, 2)), noise.normal(0, strength, (2, columns)))])
        for layer in range(LAYERS)
        for part, (rows, columns) in SIZES.items()
    }
