"""Doctor: can this machine run the service as it is configured? One finding for each thing it needs."""

from __future__ import annotations

import platform
import shutil
import tempfile
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maie.domain import SAMPLE_RATE
from maie.errors import ConfigurationError, MaieError
from maie.platform import is_jetson
from maie.settings import Settings, load_settings

if TYPE_CHECKING:
    from maie.asr import Recogniser


LLM_SECONDS = 60.0
"""Time in which the language model's server must write a few tokens."""


@dataclass(frozen=True)
class Finding:
    """The finding on one thing.

    Attributes:
        ok: None where it could not be found out.
        detail: One sentence, or a figure.
    """

    name: str
    ok: bool | None
    detail: str

    @property
    def mark(self) -> str:
        """The finding in one short word."""
        return {True: "ok", False: "NO", None: "??"}[self.ok]


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 0 when all is well, 1 when something is wrong, 2 when only something could not be found out."""
    if any(finding.ok is False for finding in findings):
        return 1
    return 2 if any(finding.ok is None for finding in findings) else 0


def examine() -> Iterator[Finding]:
    """Examine one thing after the other; wrong settings end it, because then nothing else can be judged."""
    try:
        settings = load_settings()
    except ConfigurationError as error:
        yield Finding("settings", False, error.detail)
        return
    yield Finding("settings", True, f"profile {settings.profile}, release {settings.release}")
    yield _platform(settings)
    yield _credentials(settings)
    yield _redis(settings)
    yield _disk(settings)
    yield _probe(settings)
    yield _cuda(settings)
    yield _model(settings)
    yield _templates(settings)
    yield _llm(settings)


def _platform(settings: Settings) -> Finding:
    here = "Jetson" if is_jetson() else "no Jetson"
    fits = settings.profile != "jetson" or is_jetson()
    return Finding("platform", fits, f"{here}, {platform.machine()}, Python {platform.python_version()}")


def _credentials(settings: Settings) -> Finding:
    from maie.access.keys import KeyRing
    from maie.access.tls import tls_files

    if _closed_to_us(settings):
        return Finding("credentials", None, f"{settings.credentials_dir} is only open to the service and to root.")
    try:
        KeyRing.read(settings.credentials_dir / "api_keys")
        tls_files(settings)
    except ConfigurationError as error:
        return Finding("credentials", False, error.detail)
    return Finding("credentials", True, str(settings.credentials_dir))


def _closed_to_us(settings: Settings) -> bool:
    """Whether the secrets are there and this user may not read them."""
    try:
        (settings.credentials_dir / "redis_password").read_bytes()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _redis(settings: Settings) -> Finding:
    import redis

    from maie.tasks.redis_client import connect, require_safe_redis

    if _closed_to_us(settings):
        return Finding("redis", None, "Its password is only open to the service and to root.")
    where = str(settings.redis_socket or f"{settings.redis_host}:{settings.redis_port}")
    try:
        require_safe_redis(connect(settings))
    except ConfigurationError as error:
        return Finding("redis", False, error.detail)
    except redis.RedisError as error:
        return Finding("redis", False, f"Redis at {where} does not answer: {error}")
    return Finding("redis", True, where)


def _disk(settings: Settings) -> Finding:
    try:
        free = shutil.disk_usage(settings.data_dir).free
    except OSError as error:
        return Finding("disk", False, f"{settings.data_dir}: {error.strerror}")
    return Finding("disk", free > settings.min_free_bytes, f"{free / 1024**3:.1f} GiB free in {settings.data_dir}")


def _probe(settings: Settings) -> Finding:
    """Probe a moment of silence as an upload is probed."""
    from maie.audio.probe import probe

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "silence.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
            file.writeframes(bytes(SAMPLE_RATE))
        try:
            probe(path, settings)
        except MaieError as error:
            return Finding("probe", False, error.detail)
    if not settings.probe_confined:
        return Finding("probe", None, "Uploads are looked at unconfined, as MAIE_PROBE_CONFINED says.")
    return Finding("probe", True, "Uploads are looked at without access to files, network and other processes.")


def _cuda(settings: Settings) -> Finding:
    import ctranslate2

    count = ctranslate2.get_cuda_device_count()
    if settings.asr_device == "cpu":
        return Finding("cuda", True, f"not used; {count} devices")
    return Finding("cuda", count > 0, f"{count} devices, and MAIE_ASR_DEVICE is cuda")


def _model(settings: Settings) -> Finding:
    """Load the model and have it recognise a second of silence; what it says of that does not matter."""
    from maie import asr

    try:
        answer = _recognise_silence(asr.load(settings))
    except ConfigurationError as error:
        return Finding("model", False, error.detail)
    except (RuntimeError, MemoryError) as error:
        return Finding("model", False, f"The ASR model does not answer: {error}")
    return Finding("model", True, answer)


def _recognise_silence(recogniser: Recogniser) -> str:
    from maie.asr.base import recognise_silence

    recognise_silence(recogniser)
    model = recogniser.versions["asr_model"]
    how = model.get("compute_type", "on a server")
    return f"{model['name']} answers, {how}, languages: {len(recogniser.languages) or 'unknown'}"


def _templates(settings: Settings) -> Finding:
    from maie.prompting.template_set import load_templates

    try:
        return Finding("templates", True, ", ".join(load_templates(settings.templates_dir)))
    except ConfigurationError as error:
        return Finding("templates", False, error.detail)


def _llm(settings: Settings) -> Finding:
    """Load the language model, or call its server, and have it write a few tokens; what it writes does not matter."""
    from maie import llm
    from maie.llm.base import Chat
    from maie.models.catalogue import prompts_of

    if settings.llm_backend == "none":
        return Finding("llm", True, "not used")
    try:
        model = llm.load(settings.model_copy(update={"llm_timeout_seconds": LLM_SECONDS, "llm_retries": 0}))
        reply = model.reply(Chat(({"role": "user", "content": "Say yes."},), max_tokens=4), lambda _: None)
    except MaieError as error:
        return Finding("llm", False, error.detail)
    except (RuntimeError, MemoryError) as error:
        return Finding("llm", False, f"The language model does not answer: {error}")
    how = f"{reply.reply_tokens} tokens, context {model.context_tokens}, prompts {prompts_of(settings)}"
    return Finding("llm", True, f"{model.name} answers, {how}")
