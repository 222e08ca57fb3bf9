"""The recogniser's architecture: Whisper, small."""

from __future__ import annotations

import torch
from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration
from transformers.models.whisper.modeling_whisper import sinusoids

from maie_training.asr.tokenizer import Layout

MEL_BINS = 80
LONGEST_OUTPUT = 448
WIDTH = 256
_POSITIONS_PER_SECOND = 50


def make_model(layout: Layout) -> WhisperForConditionalGeneration:
    """Return the untrained model, 4 + 4 layers of width 256, for a tokenizer's layout."""
    config = WhisperConfig(
        vocab_size=layout.size,
        num_mel_bins=MEL_BINS,
        d_model=WIDTH,
        encoder_layers=4,
        encoder_attention_heads=4,
        encoder_ffn_dim=1024,
        decoder_layers=4,
        decoder_attention_heads=4,
        decoder_ffn_dim=1024,
        max_source_positions=1500,
        max_target_positions=LONGEST_OUTPUT,
        dropout=0.05,
        bos_token_id=layout.end_of_text,
        eos_token_id=layout.end_of_text,
        pad_token_id=layout.end_of_text,
        decoder_start_token_id=layout.start_of_transcript,
        attn_implementation="sdpa",
    )
    model = WhisperForConditionalGeneration(config)
    # Nothing is suppressed at the start, not even the end: silence must give an empty text.
    model.generation_config = GenerationConfig(
        bos_token_id=layout.end_of_text,
        eos_token_id=layout.end_of_text,
        pad_token_id=layout.end_of_text,
        decoder_start_token_id=layout.start_of_transcript,
        suppress_tokens=[],
        begin_suppress_tokens=[],
    )
    return model


def listen_to(model: WhisperForConditionalGeneration, seconds: int) -> None:
    """Set the length of the windows that the model takes; 30 s is that of the finished model."""
    positions = seconds * _POSITIONS_PER_SECOND
    encoder = model.model.encoder
    device = encoder.conv1.weight.device
    model.config.max_source_positions = encoder.config.max_source_positions = positions
    encoder.embed_positions = torch.nn.Embedding.from_pretrained(sinusoids(positions, WIDTH).to(device), freeze=True)
