"""Batches of samples of like length, written anew all the time by the loading processes."""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from maie_training.llm.model import END_OF_TEXT_ID
from maie_training.llm.samples import SampleWriter
from maie_training.llm.tokenizer import END, chat_text

NO_LOSS = -100
LONGEST = 3_072
_POOL = 384
_ROUNDING = 64


class Batches(IterableDataset[tuple[Tensor, Tensor]]):
    """An endless stream of (given, wanted), both batch × length, a different one in each process.

    ``given`` is padded at the end; ``wanted`` is the token to follow, and ``NO_LOSS`` where that is
    not part of the answer. A batch has at most ``tokens`` tokens, padding included.
    """

    def __init__(self, tokenizer: str, tokens: int, seed: int) -> None:
        self.tokenizer, self.tokens, self.seed = tokenizer, tokens, seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()
        stream = f"{self.seed}/{worker.id if worker else 0}"
        writer, order = SampleWriter(f"samples/{stream}"), random.Random(f"order/{stream}")
        tokenizer = Tokenizer.from_str(self.tokenizer)
        while True:
            samples = [writer.draw() for _ in range(_POOL)]
            questions = tokenizer.encode_batch([chat_text(sample.chat) for sample in samples])
            answers = tokenizer.encode_batch([f"{sample.answer}{END}" for sample in samples])
            pairs = [(question.ids, answer.ids) for question, answer in zip(questions, answers, strict=True)]
            pairs = [pair for pair in pairs if len(pair[0]) + len(pair[1]) <= LONGEST]
            pairs.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
            batches = list(self._cut(pairs))
            order.shuffle(batches)
            yield from batches

    def _cut(self, pairs: list[tuple[list[int], list[int]]]) -> Iterator[tuple[Tensor, Tensor]]:
        chosen: list[tuple[list[int], list[int]]] = []
        for pair in pairs:
            if chosen and _width(pair) * (len(chosen) + 1) > self.tokens:
                yield _matrix(chosen)
                chosen = []
            chosen.append(pair)
        if chosen:
            yield _matrix(chosen)


def _width(pair: tuple[list[int], list[int]]) -> int:
    return -(-(len(pair[0]) + len(pair[1]) - 1) // _ROUNDING) * _ROUNDING


def _matrix(pairs: list[tuple[list[int], list[int]]]) -> tuple[Tensor, Tensor]:
    width = _width(pairs[-1])
    given = torch.full((len(pairs), width), END_OF_TEXT_ID)
    wanted = torch.full((len(pairs), width), NO_LOSS)
    for row, (question, answer) in enumerate(pairs):
        text = torch.tensor(question + answer)
        given[row, : len(text) - 1] = text[:-1]
        wanted[row, len(question) - 1 : len(text) - 1] = text[len(question) :]
    return given, wanted
