"""Mixing: many channels become one, in which everybody who speaks on any of them can be heard.

The plain mean of the channels loses speech: what is on one of six is six times as quiet, and what is inverted on the
second cancels the first. Here the channels are added, each with the polarity in which it strengthens the others, and
the sum is brought to the level of the loudest. Nothing is taken out but noise: a channel that carries only a steady
noise, while others speak.

Everything is decided from the current block and what the earlier ones have shown, so that memory does not grow with the
recording and changes are followed. Weights change in ramps of a thirty-second of a second, which can't
be heard.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maie.audio.levels import Samples

PIECES_A_SECOND = 32
"""Pieces, for each of which polarity is decided; a ramp is as long as one."""

MAX_VALUES = 1 << 21
"""Samples of all channels in one block."""

ALIKE = 0.7
"""Correlation (negative if inverted) from which on a piece decides the polarity of a channel, which holds until the
next such piece. Two people who speak at the same time correlate less."""

PREFERENCE = 4.0
"""Ratio of powers from which on another channel becomes the reference for polarity."""

REMEMBERED = 4 * PIECES_A_SECOND
STEADY_DB, UNSTEADY_DB, LIVELY_DB = 4.0, 6.0, 12.0
"""The level of noise varies by at most the first, by at most the second once it is known as noise, and that of speech
by at least the third."""

MASKED_DB = 30.0
"""Noise that is louder than the speech by more than this stays: it could be speech."""


class Mixer:
    """Mixes the blocks of one stream.

    Args:
        channels: How many there are.
        rate: Samples per second.

    Attributes:
        length: Samples of each channel that a block should have; the last one may have less.
    """

    def __init__(self, channels: int, rate: int) -> None:
        self._piece = max(1, rate // PIECES_A_SECOND)
        pieces = min(PIECES_A_SECOND, max(1, MAX_VALUES // (channels * self._piece)))
        self.length = pieces * self._piece
        self._lag = max(1, rate // 2000)
        self._step = max(1, rate // 16_000)
        self._first = 0
        self._polarity = np.ones(channels)
        self._is_noise = np.zeros(channels, bool)
        self._seen = np.empty((channels, 0))
        self._scale = 1.0 / channels
        self._weights: NDArray[np.float32] | None = None

    def mix(self, block: Samples) -> Samples:
        """Return one channel of a block of shape (channels, samples)."""
        channels, length = block.shape
        if channels == 1:
            only: Samples = block[0]
            return only
        pieces = np.pad(block, ((0, 0), (0, -length % self._piece))).reshape(channels, -1, self._piece)
        speech = self._speech_band(pieces)
        powers: NDArray[np.float64] = np.einsum("ckn,ckn->ck", speech, speech).astype(np.float64) / speech.shape[2]
        self._notice_noise(powers)
        weights = self._weigh(speech, powers).astype(np.float32)
        return self._weighted(pieces, weights).reshape(-1)[:length]

    def _speech_band(self, pieces: Samples) -> Samples:
        """Return what shows speech: without direct current, with little hum, and with fewer samples."""
        return np.ascontiguousarray(pieces[:, :, self._lag :: self._step] - pieces[:, :, : -self._lag : self._step])

    def _notice_noise(self, powers: NDArray[np.float64]) -> None:
        """Decide which channels carry a steady noise while the level of another varies as speech does."""
        levels = 10.0 * np.log10(powers + 1e-14)
        self._seen = np.concatenate([self._seen, levels], axis=1)[:, -REMEMBERED:]
        ordered = np.sort(self._seen, axis=1)
        few = ordered.shape[1] // 20
        low, middle, high, highest = ordered[:, [few, ordered.shape[1] // 2, -1 - few, -1]].T
        lively = high - low > LIVELY_DB
        steady = highest - low < np.where(self._is_noise, UNSTEADY_DB, STEADY_DB)
        heard = np.max(high[lively], initial=-np.inf)
        self._is_noise = steady & (self._is_noise | (middle < heard + MASKED_DB))

    def _weigh(self, speech: Samples, powers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weight of each channel in each piece, of shape (channels, pieces)."""
        whole = powers.sum(axis=1)
        weights = np.zeros(powers.shape)
        preferred = whole * np.where(np.arange(len(whole)) == self._first, PREFERENCE, 1.0)
        taken = [int(c) for c in np.argsort(-preferred, kind="stable") if not self._is_noise[c]]
        first = self._first = taken[0]
        weights[first] = self._polarity[first]
        mixed = speech[first] * np.float32(self._polarity[first])
        for channel in taken[1:]:
            if whole[channel] == 0.0:
                weights[channel] = self._polarity[channel]
                continue
            weights[channel] = self._follow_polarity(channel, speech[channel], mixed, powers[channel])
            mixed = mixed + speech[channel] * weights[channel][:, None].astype(np.float32)
        power = float(np.square(mixed).sum()) / mixed.shape[1]
        if power > 0.0:
            self._scale = float(np.sqrt(whole[taken].max() / power))
        return weights * self._scale

    def _follow_polarity(
        self, channel: int, speech: Samples, mixed: Samples, powers: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return for each piece the polarity, 1 or -1, in which a channel strengthens what is already mixed."""
        products = np.einsum("kn,kn->k", speech, mixed).astype(np.float64) / speech.shape[1]
        others = np.einsum("kn,kn->k", mixed, mixed).astype(np.float64) / speech.shape[1]
        alike = products / np.maximum(np.sqrt(powers * others), 1e-30)
        told = np.where(np.abs(alike) > ALIKE, np.sign(alike), 0.0)
        known = np.concatenate([self._polarity[channel : channel + 1], told])
        latest = np.maximum.accumulate(np.where(known != 0.0, np.arange(len(known)), 0))
        polarity = known[latest][1:]
        self._polarity[channel] = polarity[-1]
        return polarity

    def _weighted(self, block: Samples, weights: NDArray[np.float32]) -> Samples:
        """Return the weighted sum of a block's channels, of shape (pieces, samples), with a ramp at each change."""
        before = weights[:, :1] if self._weights is None else self._weights[:, None]
        steps = np.diff(weights, axis=1, prepend=before)
        self._weights = weights[:, -1]
        mixed: Samples = np.einsum("ck,ckn->kn", weights, block)
        still = np.linspace(1.0, 0.0, self._piece, endpoint=False, dtype=np.float32)
        for piece in np.flatnonzero(steps.any(axis=0)):
            mixed[piece] -= (steps[:, piece] @ block[:, piece]) * still
        return mixed
