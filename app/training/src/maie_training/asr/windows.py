"""Plan training windows of 30 s: which utterance starts when, and the tokens to be written for it.

The kinds of windows are those that a recogniser meets: voices mixed, pauses long and short, speech
that starts or ends within a sentence because a pause was taken for its end, a last sentence cut by
the window's end, windows with no speech at all, and text of the window before as a prompt.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from maie_training.asr.model import LONGEST_OUTPUT
from maie_training.asr.tokenizer import Layout
from maie_training.asr.utterances import Utterances
from maie_training.speech import SAMPLE_RATE

LONG = 30
NO_LOSS = -100
_LATEST_FIRST_TIMESTAMP = 1.0
# Utterances of a window; a file with a single short sentence is the most frequent of its kind.
_COUNTS = (1, 1, 1, 2, 3, 4, 5, 6, 7, 8)


@dataclass
class Window:
    """A planned window; times in samples. ``pieces`` are (utterance, start in the window).

    ``length`` is how much of the window is heard, the rest is padding; ``cut`` says that the last
    utterance goes on beyond the window's end.
    """

    length: int
    pieces: list[tuple[int, int]] = field(default_factory=list)
    cut: bool = False

    def end(self, lengths: npt.NDArray[np.int64]) -> int:
        """Return where the last utterance ends, beyond the window's end when it is cut."""
        number, start = self.pieces[-1]
        return start + int(lengths[number])


class WindowPlanner:
    """Draws windows of ``seconds`` (30, or less to begin with) and their token sequences."""

    def __init__(self, speech: Utterances, tokenizer: Tokenizer, seed: int, seconds: int = LONG) -> None:
        self.speech = speech
        self.seconds = seconds
        self.size = seconds * SAMPLE_RATE
        self.layout = Layout(tokenizer)
        self.rng = random.Random(f"windows/{seed}")
        self.tokens = [
            encoding.ids
            for encoding in tokenizer.encode_batch([f" {text}" for text in speech.texts], add_special_tokens=False)
        ]
        # Where each whole sentence stands: its run, for windows out of one meeting.
        self.run_of = {number: run for run in speech.runs for number in run}
        self.sentences = list(self.run_of)

    def draw(self) -> Window:
        """Return one window."""
        rng = self.rng
        if rng.random() < 0.05:
            return Window(length=rng.randint(SAMPLE_RATE // 2, self.size))
        window = Window(length=self.size)
        latest = 6.0 if self.seconds == LONG and rng.random() < 0.15 else 0.8
        position = round(rng.uniform(0, latest) * SAMPLE_RATE)
        longest_gap = rng.choice((0.4, 0.8, 2.5))
        to_the_end = self.seconds == LONG and rng.random() < 0.35
        for number in self._sequence(30 if to_the_end else rng.choice(_COUNTS)):
            if position + self.speech.lengths[number] > self.size:
                # Cut within its speech, and long enough for its start to be heard.
                window.cut = to_the_end and position < self.size - SAMPLE_RATE // 2
                if window.cut:
                    window.pieces.append((number, position))
                break
            window.pieces.append((number, position))
            pause = rng.uniform(0.05, longest_gap)
            position += int(self.speech.lengths[number]) + round(pause * SAMPLE_RATE)
        if not window.pieces or (window.cut and len(window.pieces) == 1):
            return self.draw()
        if not window.cut and rng.random() < 0.7:
            rest = round(rng.uniform(0.02, 0.9) * SAMPLE_RATE)
            window.length = min(window.end(self.speech.lengths) + rest, self.size)
        return window

    def _sequence(self, count: int) -> list[int]:
        """Return utterances to follow each other: out of one meeting, or from anywhere."""
        rng = self.rng
        first = rng.choice(self.sentences)
        run = self.run_of[first]
        if len(run) > 1 and rng.random() < 0.6:
            chosen = list(range(first, min(first + count, run.stop)))
        else:
            chosen = [rng.choice(self.sentences) for _ in range(count)]
        if self.speech.tails and rng.random() < 0.12:
            chosen[0] = rng.choice(self.speech.tails)
        if self.speech.heads and rng.random() < 0.12:
            chosen[-1] = rng.choice(self.speech.heads)
        return chosen

    def target(self, window: Window, timestamps: bool) -> tuple[list[int], list[int]]:
        """Return the decoder's input and what it has to predict at each place of it."""
        layout, rng = self.layout, self.rng
        body: list[int] = [] if timestamps else [layout.no_timestamps]
        last = len(window.pieces) - 1
        for place, (number, start) in enumerate(window.pieces):
            began = start / SAMPLE_RATE
            if place == 0:
                began = min(began, _LATEST_FIRST_TIMESTAMP)
            cut = window.cut and place == last
            if timestamps:
                body.append(layout.timestamp(began))
            if not cut:
                body.extend(self.tokens[number])
                if timestamps:
                    ended = (start + int(self.speech.lengths[number])) / SAMPLE_RATE
                    body.append(layout.timestamp(ended))
        silent = not window.pieces
        if silent and timestamps:
            body.append(layout.timestamp(0.0))
        prompt = self._prompt() if rng.random() < 0.2 else []
        given = [*prompt, layout.start_of_transcript, *body]
        wanted = [NO_LOSS] * len(prompt) + [*body, layout.end_of_text]
        if silent:
            # What follows the start is how sure a recogniser is that nobody speaks.
            wanted[len(prompt)] = layout.no_speech
        return given, wanted

    def _prompt(self) -> list[int]:
        rng, layout = self.rng, self.layout
        text: list[int] = []
        with_timestamps, time = rng.random() < 0.5, 0.0
        for number in self._sequence(rng.randint(1, 6)):
            length = int(self.speech.lengths[number]) / SAMPLE_RATE
            if with_timestamps and time + length < 30:
                tokens = [layout.timestamp(time), *self.tokens[number]]
                time += length
                text += [*tokens, layout.timestamp(time)]
            else:
                text += self.tokens[number]
        return [layout.start_of_previous, *text[-(LONGEST_OUTPUT // 2 - 1) :]]


def batches(planner: WindowPlanner, size: int) -> Iterator[dict[str, npt.NDArray[np.int64]]]:
    """Yield batches for ever.

    ``row``, ``at``, ``source`` and ``count`` have one entry for each utterance: its window, its
    first sample in there, its first sample in the speech array and its number of samples.
    ``length`` has the samples of each window that are heard; ``given`` and ``wanted`` are token
    matrices, padded at the end; ``text`` has the text tokens of all windows in one row and
    ``text_length`` how many of them each window has.
    """
    speech, layout = planner.speech, planner.layout
    while True:
        pieces: list[tuple[int, int, int, int]] = []
        lengths, targets, texts = [], [], []
        while len(targets) < size:
            window, timestamps = planner.draw(), planner.rng.random() < 0.6
            if window.cut and not timestamps:
                # Only a start time can say that something was left for the next window.
                window.pieces.pop()
            given, wanted = planner.target(window, timestamps)
            if len(given) > LONGEST_OUTPUT:
                continue
            for number, start in window.pieces:
                count = min(int(speech.lengths[number]), planner.size - start)
                pieces.append((len(targets), start, int(speech.starts[number]), count))
            lengths.append(window.length)
            targets.append((given, wanted))
            texts.append([token for token in wanted if 0 <= token < layout.end_of_text])
        longest = max(len(given) for given, _ in targets)
        matrix = np.full((2, size, longest), NO_LOSS, dtype=np.int64)
        matrix[0] = layout.end_of_text
        for place, (given, wanted) in enumerate(targets):
            matrix[0, place, : len(given)] = given
            matrix[1, place, : len(wanted)] = wanted
        table = np.array(pieces, dtype=np.int64).reshape(-1, 4)
        yield {
            "row": table[:, 0],
            "at": table[:, 1],
            "source": table[:, 2],
            "count": table[:, 3],
            "length": np.array(lengths, dtype=np.int64),
            "given": matrix[0],
            "wanted": matrix[1],
            "text": np.array([token for text in texts for token in text], dtype=np.int64),
            "text_length": np.array([len(text) for text in texts], dtype=np.int64),
        }
