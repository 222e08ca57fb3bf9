"""How much memory each part of the service needs: pure functions of the models' figures and the settings.

All sizes are bytes. Measured figures come from x86-64 (aarch64 may differ), estimates are marked, and none comes from a
board yet. The plan counts with the upper end of each range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from maie.llm.base import PROMPT_SHARE
from maie.models.figures import ModelFigures
from maie.settings import Settings

MIB = 1024**2

Pool = Literal["memory", "gpu"]

Basis = Literal["computed", "measured", "estimated"]
"""Where a size comes from: the models' figures and the settings; a run; or something similar."""


@dataclass(frozen=True)
class Figure:
    """A size that does not follow from the models, between ``low`` and ``high``."""

    low: int
    high: int
    basis: Basis


def mib(low: int, high: int, basis: Basis) -> Figure:
    """Return a figure of so many MiB."""
    return Figure(low * MIB, high * MIB, basis)


SYSTEM = mib(608, 800, "estimated")
"""Reserve of the operating system: a headless Orin Nano without desktop used 544 MiB when idle (measured by others,
on JetPack 5), 64 MiB stay free for the kernel (``vm.min_free_kbytes`` of the tuning), and the rest is for page cache,
journal and a login."""

REDIS = mib(12, 12 + 128, "measured")
"""Redis: 12 MiB measured when empty, and its ``maxmemory`` (``redis_maxmemory_mb``)."""

API = mib(64, 64, "measured")
"""The API process: peak measured after uploads."""

WORKER = mib(52 + 12, 52 + 12, "measured")
"""The worker, and Python's tracker of the resources of its child: peaks measured."""

ENGINE = mib(206, 206, "measured")
"""The engine process with the libraries of decoding, VAD and recognition after it worked, less what the model itself
needs: the measured peaks for batches of 1, 4 and 5 chunks (264, 408 and 481 MiB), drawn back to none."""

LLM_ENGINE = mib(40, 40, "measured")
"""What templates and CTranslate2's buffers add to the engine process with a language model."""

TOKEN_BYTES = 640
"""What the tokenizer takes for each token that a model knows: measured with 151,936."""

READER = mib(94, 94, "measured")
"""The small engine process that works for the language model alone while the server has the GPU (swap): at most what
the engine process with the embedded speech model took before its first task, measured."""

CUDA_CONTEXT = mib(150, 480, "estimated")
"""Context, kernels and work space of cuBLAS and cuDNN in a process that uses CUDA. Whisper.cpp's peak on an Orin Nano
is 0.7 GB over its weights, of which about half are its own buffers (research of measured figures). On an H200 it was
748, of which 518 the bare context; that has the stacks of 132 multiprocessors in it, and an Orin Nano has 8."""

CUDA_LIBRARIES = mib(150, 440, "estimated")
"""What CUDA's libraries take of the engine process's own memory once it has worked: the upper end was measured on an
H100, not on a board (``docs/support.md``)."""

VLLM_API = mib(505, 770, "measured")
"""vLLM's first process, with the API. Lower end: memory of its own, vLLM 0.11.0 for processors under the unit. Upper
end: its share of all that it maps, which the kernel can in part drop and read again, vLLM 0.20.0 on an H200."""

VLLM_ENGINE = mib(545, 760, "measured")
"""vLLM's engine process and Python's tracker, likewise both of vLLM 0.11.0, without CUDA, weights and KV cache."""

VLLM_SPECULATION = mib(72, 145, "measured")
"""What Numba, with which n-gram speculation is compiled, adds to the engine process: vLLM 0.20.0 on an H200."""

VLLM_CUDA = mib(150, 640, "estimated")
"""What CUDA adds to the engine process's own memory. On an H200 366 in a bare torch process and 640 in vLLM's."""

VLLM_TORCH = mib(35, 85, "measured")
"""What torch reserves on the GPU beyond weights, KV cache and activations: on an H200."""

CUDA_GRAPHS = mib(50, 130, "measured")
"""CUDA graphs and compiled kernels, which the server has without ``llm_enforce_eager``: on an H200."""

ENCODER_STATES = 1500
"""States that Whisper's encoder makes of 30 s of audio."""

MAX_TEXT_TOKENS = 448
"""Tokens that Whisper's decoder may have for 30 s."""

VLLM_BLOCK = 16
SPARE_BLOCKS = 4
"""vLLM keeps KV memory in blocks of so many tokens; it wants one block that stays empty, and room for the tokens that
n-gram speculation looks ahead."""

FLOAT_BYTES = {"float32": 4, "int8": 4, "int8_float32": 4, "float16": 2, "int8_float16": 2, "bfloat16": 2}
WEIGHT_BYTES = {"float32": 4, "int8": 1, "int8_float32": 1, "float16": 2, "int8_float16": 1, "bfloat16": 2}
"""Bytes per number of activations and of weights, by CTranslate2's compute type; others count as float16."""

VLLM_BYTES = 2
"""vLLM computes and keeps keys and values in 16 bits."""


@dataclass(frozen=True)
class Part:
    """One line of the table.

    Attributes:
        size: What the plan counts with: the upper end.
        pool: Where it is taken from. A Jetson has one memory for both.
        low: The lower end; None where it is known exactly.
    """

    name: str
    size: int
    pool: Pool = "memory"
    low: int | None = None
    basis: Basis = "computed"

    @property
    def least(self) -> int:
        """The lower end."""
        return self.size if self.low is None else self.low


def part(name: str, figure: Figure, pool: Pool = "memory") -> Part:
    """Return the line of a figure."""
    return Part(name, figure.high, pool, figure.low, figure.basis)


def kv_bytes_per_token(model: ModelFigures, number_bytes: int) -> int:
    """Return what one token's keys and values take in all layers: 144 KiB for Qwen3-4B with 2 bytes."""
    return 2 * model.layers * model.kv_heads * model.head_size * number_bytes


def weights(model: ModelFigures, compute_type: str) -> int:
    """Return what the loaded weights take."""
    return model.files_bytes if model.packed else model.parameters * WEIGHT_BYTES.get(compute_type, 2)


def left_of_loading(model: ModelFigures, compute_type: str) -> int:
    """Return what stays in a CUDA process' own memory after it has converted wider weights to narrower ones.

    It is as large as the converted weights: measured on an H100 with float16 files (``docs/support.md``).
    """
    loaded = weights(model, compute_type)
    return loaded if model.files_bytes > 1.5 * loaded else 0


def asr_work(model: ModelFigures, settings: Settings) -> int:
    """Return what recognition takes while it runs.

    For each chunk of a batch: the encoder's attention over all its states, and the keys and values of the decoder, for
    the audio once and for the text with each beam.
    """
    number = FLOAT_BYTES.get(settings.asr_compute_type, 2)
    attention = model.heads * ENCODER_STATES**2
    keys_and_values = 2 * model.layers * model.width * (ENCODER_STATES + settings.asr_beam_size * MAX_TEXT_TOKENS)
    return settings.asr_batch_size * (attention + keys_and_values) * number


def llm_context(model: ModelFigures, settings: Settings) -> int:
    """Return the tokens of a chat and its reply: the setting, or the model's own limit where that is less."""
    return min(settings.llm_context_tokens, model.context_tokens or settings.llm_context_tokens)


def llm_work(model: ModelFigures, settings: Settings) -> int:
    """Return what CTranslate2 takes for the longest prompt.

    It reads a prompt in one step, and so has the attention of each token to each other one in memory, and for each
    token some ten times the numbers in the middle of a feed-forward block: measured with two models, of 12.6 and 494 M
    parameters, at 200 to 4,100 tokens.
    """
    number = FLOAT_BYTES.get(settings.llm_compute_type, 2)
    tokens = int(llm_context(model, settings) * PROMPT_SHARE)
    return (model.heads * tokens**2 + tokens * 10 * model.inner) * number


def llm_vocabulary(model: ModelFigures) -> int:
    """Return what the tokenizer takes."""
    return model.vocabulary * TOKEN_BYTES


def llm_kv(model: ModelFigures, settings: Settings) -> int:
    """Return CTranslate2's keys and values for a full context."""
    number = FLOAT_BYTES.get(settings.llm_compute_type, 2)
    return llm_context(model, settings) * kv_bytes_per_token(model, number)


def server_kv(model: ModelFigures, settings: Settings) -> int:
    """Return vLLM's ``--kv-cache-memory-bytes``: a full context for each sequence at a time, in whole blocks."""
    blocks = math.ceil(llm_context(model, settings) / VLLM_BLOCK) * settings.llm_max_sequences + SPARE_BLOCKS
    return blocks * VLLM_BLOCK * kv_bytes_per_token(model, VLLM_BYTES)


def server_work(model: ModelFigures, settings: Settings) -> int:
    """Return vLLM's activations.

    They are those of one batch of tokens, and the scores of the whole vocabulary for each sequence (32 bits, twice,
    because they are sorted).
    """
    states = settings.llm_batched_tokens * (3 * model.inner + 4 * model.width) * VLLM_BYTES
    return states + settings.llm_max_sequences * model.vocabulary * 4 * 2
