"""Sound of a batch of windows on the accelerator: mixing, disturbance, log-mel features."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import WhisperFeatureExtractor

from maie_training.speech import SAMPLE_RATE

_HOP = 160
_FFT = 400


class Studio:
    """Turns planned windows into features, with fresh noise, loudness and filters each time.

    ``samples`` is the speech array, int16, on the accelerator; ``seconds`` the windows' length.
    """

    def __init__(self, samples: Tensor, seed: int, seconds: int) -> None:
        self.window = seconds * SAMPLE_RATE
        self.fft = 1 << (self.window - 1).bit_length()
        self.samples = samples
        self.device = samples.device
        self.random = torch.Generator(self.device).manual_seed(seed)
        filters = torch.tensor(WhisperFeatureExtractor().mel_filters, dtype=torch.float32)
        self.mel_filters = filters.T.contiguous().to(self.device)
        self.hann = torch.hann_window(_FFT, device=self.device)
        self.frequency = torch.fft.rfftfreq(self.fft, 1 / SAMPLE_RATE).to(self.device)

    def _uniform(self, low: float, high: float, *shape: int) -> Tensor:
        draw = torch.rand(*shape, device=self.device, generator=self.random)
        return low + (high - low) * draw

    def _chance(self, probability: float, *shape: int) -> Tensor:
        return self._uniform(0, 1, *shape) < probability

    def mix(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the windows' clean sound (windows × samples) and the power of their speech."""
        size = len(batch["length"])
        sound = torch.zeros(size * self.window, device=self.device)
        if not len(batch["row"]):
            return sound.view(size, self.window), torch.full((size, 1), 1e-2, device=self.device)
        starts = batch["row"] * self.window + batch["at"]
        piece = torch.repeat_interleave(torch.arange(len(starts), device=self.device), batch["count"])
        within = torch.arange(len(piece), device=self.device)
        within = within - (batch["count"].cumsum(0) - batch["count"])[piece]
        gain = 10 ** (self._uniform(-8, 0, len(starts)) / 20) / 32768
        value = self.samples[batch["source"][piece] + within].float() * gain[piece]
        sound[starts[piece] + within] = value
        sound = sound.view(size, self.window)
        heard = torch.zeros(size, device=self.device)
        heard.index_add_(0, batch["row"], batch["count"].float())
        power = sound.square().sum(1) / heard.clamp(min=1)
        return sound, torch.where(heard > 0, power, 1e-2)[:, None]

    def disturb(self, sound: Tensor, power: Tensor) -> Tensor:
        """Add a room, noise from 8 to 45 dB below the speech, a channel's filter, loudness."""
        size = len(sound)
        spectrum = torch.fft.rfft(sound, self.fft)
        spectrum = spectrum * torch.fft.rfft(self._rooms(size), self.fft)
        spectrum = spectrum + self._noise(size, power)
        sound = torch.fft.irfft(spectrum * self._channels(size), self.fft)[:, : self.window]
        loudness = 10 ** (self._uniform(-25, 6, size, 1) / 20)
        return (sound * loudness).clamp(-1, 1)

    def _rooms(self, size: int) -> Tensor:
        """Return impulse responses; most are a single impulse, no room at all."""
        length = SAMPLE_RATE // 2
        response = torch.zeros(size, length, device=self.device)
        response[:, 0] = 1
        decay = self._uniform(0.1, 0.4, size, 1)
        time = torch.arange(length, device=self.device) / SAMPLE_RATE
        tail = torch.randn(size, length, device=self.device, generator=self.random)
        tail = tail * torch.exp(-6.9 * time / decay)
        tail = tail / tail.norm(dim=1, keepdim=True)
        strength = self._uniform(0.1, 0.7, size, 1) * self._chance(0.2, size, 1)
        return response + tail * strength

    def _noise(self, size: int, power: Tensor) -> Tensor:
        """Return noise spectra between white and pink; a third of the windows have none."""
        noise = torch.randn(size, self.fft, device=self.device, generator=self.random)
        slope = self._uniform(0, 0.6, size, 1)
        shape = (self.frequency.clamp(min=50) / 1000) ** -slope
        shaped = torch.fft.irfft(torch.fft.rfft(noise) * shape, self.fft)
        level = power.sqrt() * 10 ** (-self._uniform(8, 45, size, 1) / 20)
        level = level * self._chance(0.65, size, 1)
        return torch.fft.rfft(shaped * (level / shaped.square().mean(1, keepdim=True).sqrt()))

    def _channels(self, size: int) -> Tensor:
        """Return filters: often none, else a tilt, a telephone's band, a cut of the lows."""
        tilt = self._uniform(-6, 6, size, 1) * self._chance(0.3, size, 1)
        octaves = (self.frequency.clamp(min=60) / 1000).log2()
        gain = 10 ** (tilt * octaves / 3 / 20)
        top = torch.where(
            self._chance(0.25, size, 1),
            self._uniform(3300, 7500, size, 1),
            torch.tensor(9000.0, device=self.device),
        )
        bottom = self._uniform(60, 300, size, 1) * self._chance(0.15, size, 1)
        return gain * torch.sigmoid((top - self.frequency) / 40) * (self.frequency >= bottom)

    def features(self, sound: Tensor, length: Tensor) -> Tensor:
        """Return log-mel features (windows × 80 × 3000) as faster-whisper computes them.

        What lies beyond a window's ``length`` is padding: zero in the features, not silence.
        """
        inside = torch.arange(self.window, device=self.device) < length[:, None]
        stft = torch.stft(sound * inside, _FFT, _HOP, window=self.hann, center=True, return_complex=True)
        mel = self.mel_filters @ stft[..., :-1].abs().square()
        log = mel.clamp(min=1e-10).log10()
        # A whole file's features share one maximum, which may lie in another window.
        size = len(sound)
        louder = self._uniform(0, 1, size, 1, 1) * self._chance(0.3, size, 1, 1)
        log = torch.maximum(log, log.amax((1, 2), keepdim=True) + louder - 8)
        frames = torch.arange(log.shape[-1], device=self.device) <= length[:, None] // _HOP
        return (log + 4) / 4 * frames[:, None, :]

    def record(self, batch: dict[str, Tensor], clean: bool) -> Tensor:
        """Return the features of a batch of planned windows, with or without disturbance."""
        sound, power = self.mix(batch)
        if not clean:
            sound = self.disturb(sound, power)
        return self.features(sound, batch["length"])
