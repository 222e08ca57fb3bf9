"""Train the adapter: several trainings that differ in their seeds, averaged.

``python -m maie_training.adapter.train --gguf FILE --out FILE`` on a machine with a GPU, in 10 minutes on one H200.

A matrix gets a sum of two thin ones (low-rank adaptation); the model itself stays. What counts in an answer is what
the model has to find out: the numbers of lines, and what is copied anyway, weigh less.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers import Qwen2Config, Qwen2ForCausalLM

from maie_training.adapter.base import PARTS, BaseModel
from maie_training.adapter.lora import average, write_adapter
from maie_training.adapter.material import Material, Sample
from maie_training.adapter.tasks import Chat
from maie_training.written import WrittenTalk, read_talks, validation_fields

RANK = 12
SCALE = 2.0
DROPOUT = 0.1
PEAK = 8e-4
WARM_UP_STEPS = 30
BATCH_TOKENS = 16_000
MOST_TOKENS = 1800
_DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
_AT_ONCE = 2048  # words whose probabilities are in memory at a time

_TASK_WEIGHTS = {"settled": 1.0, "overview": 0.7, "clean": 0.3}
_NUMBER, _NO, _KIND, _WHO, _END = 0.05, 0.5, 1.5, 1.5, 0.2
_ROW = re.compile(r"^(?P<number>\d+)(?P<kind> no\n?| decision| task(?P<who>[^:\n]*:)?)", re.MULTILINE)


class LowRank(nn.Module):
    """A linear layer and what training adds to it."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        at = base.weight.device
        self.down = nn.Parameter(torch.randn(RANK, base.in_features, device=at) / math.sqrt(base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, RANK, device=at))

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output for ``x``, (…, input)."""
        inner = functional.dropout(functional.linear(x, self.down.to(x.dtype)), DROPOUT, self.training)
        return self.base(x) + functional.linear(inner, (self.up * SCALE).to(x.dtype))


@dataclass(frozen=True)
class Encoded:
    """A sample's words by their numbers; ``weights`` are those of the answer, at the end."""

    words: list[int]
    weights: list[float]


def _load(base: BaseModel) -> Qwen2ForCausalLM:
    shape = base.shape
    config = Qwen2Config(
        vocab_size=len(base.tokens),
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        rms_norm_eps=shape.epsilon,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_base},
    )
    model = Qwen2ForCausalLM(config).to(torch.bfloat16)
    weights = {"model.embed_tokens.weight": base.embedding, "model.norm.weight": base.last_norm}
    for layer in range(shape.layers):
        for part in PARTS:
            weights[f"model.layers.{layer}.{part}.weight"] = base.weight(layer, part)
            if part in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"):
                weights[f"model.layers.{layer}.{part}.bias"] = base.bias(layer, part)
    missing = model.load_state_dict(
        {name: torch.from_numpy(array.copy()) for name, array in weights.items()}, strict=False
    )
    if set(missing.missing_keys) - {"lm_head.weight"} or missing.unexpected_keys:
        raise ValueError(f"not the weights of a Qwen2: {missing}")
    model.tie_weights()
    return model.to(_DEVICE).requires_grad_(False)


def _adapted(model: Qwen2ForCausalLM) -> dict[tuple[int, str], LowRank]:
    layers = {}
    for number, layer in enumerate(model.model.layers):
        for part in PARTS:
            if part.endswith("_proj"):
                parent, name = part.split(".")
                block = getattr(layer, parent)
                layers[number, part] = LowRank(getattr(block, name))
                setattr(block, name, layers[number, part])
    return layers


def _rendered(chat: Chat) -> str:
    turns = "".join(f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n" for message in chat)
    return f"{turns}<|im_start|>assistant\n"


def _weighted_letters(sample: Sample) -> list[float]:
    """What each letter of the answer counts."""
    weights = [_TASK_WEIGHTS[sample.task]] * len(sample.answer)
    if sample.task == "settled":
        for row in _ROW.finditer(sample.answer):
            kind = row["kind"]
            spans = [(row.span("number"), _NUMBER), (row.span("kind"), _NO if kind.startswith(" no") else _KIND)]
            if row["who"]:
                spans.append((row.span("who"), _WHO))
            if kind.endswith("\n"):
                spans.append(((row.end() - 1, row.end()), _NUMBER))
            for (start, end), weight in spans:
                weights[start:end] = [weight] * (end - start)
    return weights


def _encoded(tokenizer: Tokenizer, end: int, samples: Sequence[Sample]) -> list[Encoded]:
    found = []
    for sample in samples:
        asked = tokenizer.encode(_rendered(sample.chat), add_special_tokens=False).ids
        answer = tokenizer.encode(sample.answer, add_special_tokens=False)
        letters = _weighted_letters(sample)
        last = _END if sample.task == "settled" else _TASK_WEIGHTS[sample.task]
        weights = [*(letters[start] for start, _ in answer.offsets), last]
        if len(asked) + len(weights) <= MOST_TOKENS:
            found.append(Encoded([*asked, *answer.ids, end], weights))
    return found


def _batches(samples: list[Encoded], rng: random.Random) -> Iterator[list[Encoded]]:
    """Put samples of about the same length together."""
    rng.shuffle(samples)
    batches: list[list[Encoded]] = []
    for start in range(0, len(samples), 512):
        batches.append([])
        for sample in sorted(samples[start : start + 512], key=lambda sample: len(sample.words)):
            if (len(batches[-1]) + 1) * len(sample.words) > BATCH_TOKENS:
                batches.append([])
            batches[-1].append(sample)
    rng.shuffle(batches)
    yield from filter(None, batches)


def _loss(model: Qwen2ForCausalLM, batch: Sequence[Encoded]) -> Tensor:
    longest = max(len(sample.words) for sample in batch)
    words = torch.zeros((len(batch), longest), dtype=torch.long)
    weights = torch.zeros((len(batch), longest))
    for row, sample in enumerate(batch):
        end = len(sample.words)
        words[row, :end] = torch.tensor(sample.words)
        weights[row, end - len(sample.weights) : end] = torch.tensor(sample.weights)
    words, weights = words.to(_DEVICE), weights[:, 1:].to(_DEVICE)
    # What fills the shorter ones stands after their end, where no word looks: no mask is needed.
    hidden = model.model(input_ids=words, use_cache=False).last_hidden_state[:, :-1]
    counted = weights > 0
    hidden, right, weight = hidden[counted], words[:, 1:][counted], weights[counted]

    def part(hidden: Tensor, right: Tensor, weight: Tensor) -> Tensor:
        return (functional.cross_entropy(model.lm_head(hidden).float(), right, reduction="none") * weight).sum()

    places = range(0, len(right), _AT_ONCE)
    parts = [
        checkpoint(part, *(x[k : k + _AT_ONCE] for x in (hidden, right, weight)), use_reentrant=False) for k in places
    ]
    return torch.stack(parts).sum() / weight.sum()


def train_once(base: BaseModel, talks: Sequence[WrittenTalk], seed: int) -> dict[tuple[int, str], LowRank]:
    """Train on some talks."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    model = _load(base)
    layers = _adapted(model)
    material = Material(talks, seed)
    tokenizer, end = base.tokenizer(), base.tokens.index(base.end)
    steps = [batch for samples in material.samples() for batch in _batches(_encoded(tokenizer, end, samples), rng)]
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=PEAK, weight_decay=0.01, betas=(0.9, 0.99))
    model.train()
    started = time.monotonic()
    for number, batch in enumerate(steps):
        cosine = 0.5 * (1 + math.cos(math.pi * number / len(steps)))
        for group in optimizer.param_groups:
            group["lr"] = PEAK * min(1.0, (number + 1) / WARM_UP_STEPS) * (0.05 + 0.95 * cosine)
        loss = _loss(model, batch)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if number % 50 == 0 or number == len(steps) - 1:
            took = time.monotonic() - started
            print(f"seed {seed}, step {number} of {len(steps)}: loss {loss.item():.3f}, {took:.0f} s", flush=True)
    return layers


def main(argv: Sequence[str] | None = None) -> int:
    """Train, average and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--validation", action="store_true", help="leave out the fields that settings are chosen by")
    arguments = parser.parse_args(argv)
    base, talks = BaseModel(arguments.gguf), list(read_talks())
    if arguments.validation:
        left_out = validation_fields(talks)
        talks = [talk for talk in talks if talk.field not in left_out]
    trainings = [train_once(base, talks, seed) for seed in arguments.seeds]

    def thin(layer: LowRank) -> tuple[Tensor, Tensor]:
        return (layer.up.detach() * SCALE).cpu().numpy(), layer.down.detach().cpu().numpy()

    adapter = {key: average([thin(layers[key]) for layers in trainings]) for key in trainings[0]}
    write_adapter(arguments.out, adapter)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
