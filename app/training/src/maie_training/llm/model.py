"""The language model's architecture: Qwen3, small."""

from __future__ import annotations

from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

from maie_training.llm.tokenizer import VOCABULARY

CONTEXT = 4_096
ROPE_BASE = 10_000.0
# The special tokens stand at the vocabulary's end, in the order of SPECIAL_TOKENS.
END_OF_TEXT_ID = VOCABULARY - 3
END_ID = VOCABULARY - 1


def make_model() -> Qwen3ForCausalLM:
    """Return the untrained model: 8 layers of width 384, 12.6 M parameters."""
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=384,
        intermediate_size=896,
        num_hidden_layers=8,
        num_attention_heads=6,
        num_key_value_heads=3,
        head_dim=64,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_BASE},
        tie_word_embeddings=True,
        bos_token_id=None,
        pad_token_id=END_OF_TEXT_ID,
        eos_token_id=END_ID,
        attn_implementation="sdpa",
    )
    model = Qwen3ForCausalLM(config)
    model.generation_config = GenerationConfig(
        do_sample=False,
        pad_token_id=END_OF_TEXT_ID,
        eos_token_id=[END_ID, END_OF_TEXT_ID],
    )
    return model
