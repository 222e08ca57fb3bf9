"""All settings of the service, one name each: ``MAIE_<SETTING>`` in the environment.

The profile gives the defaults of the models and limits, and each of them can be set on its own. The profile is
``MAIE_PROFILE``, or else follows from the platform. Secrets are not settings but files in ``credentials_dir``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from maie import backends
from maie.errors import ConfigurationError
from maie.platform import is_jetson

ProfileName = Literal["embedded", "jetson", "x86"]

PROFILES: Mapping[str, Mapping[str, Any]] = {
    "embedded": {
        "asr_device": "cpu",
        "asr_compute_type": "int8",
        "asr_beam_size": 3,
        "llm_context_tokens": 3072,  # the embedded model can have more, at a price in memory (docs/memory.md)
    },
    "jetson": {
        "asr_device": "cuda",
        "asr_compute_type": "int8_float16",
        "asr_beam_size": 3,
        "queue_capacity": 5,
        "llm_backend": "openai",
        "llm_device": "cuda",
        "llm_compute_type": "int8_float16",
        "llm_context_tokens": 8192,
        "llm_max_sequences": 1,
        "llm_batched_tokens": 4096,
    },
    "x86": {
        "asr_device": "cuda",
        "asr_compute_type": "float16",
        "asr_beam_size": 5,
        "queue_capacity": 50,
    },
}
"""What each profile sets differently from the defaults of :class:`Settings`."""


class Settings(BaseSettings):
    """The settings of one process; read with :func:`load_settings`."""

    model_config = SettingsConfigDict(env_prefix="MAIE_", extra="forbid", frozen=True)

    profile: ProfileName = Field(description="Named set of models and limits.")
    release: str = Field("unreleased", description="Identity of the release that runs, set by the deployment.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe level logged.")

    host: str = Field("127.0.0.1", description="Address that the API listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port that the API listens on.")
    tls: bool = Field(
        True,
        description="Serve HTTPS with the credentials tls_cert.pem and tls_key.pem wherever the API listens beyond "
        "loopback. False only behind a proxy that has TLS.",
    )
    max_connections: int = Field(
        700,
        ge=10,
        description="Connections to the API at a time that have sent something. Beyond it those without a key are "
        "ended, the oldest of the address that has most of them first. Each may take 0.4 MB of the API's memory.",
    )
    credentials_dir: Path = Field(
        Path("/etc/maie/credentials"),
        description="Folder of the secrets: api_keys, redis_password, llm_key, tls_cert.pem, tls_key.pem. In a systemd "
        "unit it is $CREDENTIALS_DIRECTORY.",
    )
    data_dir: Path = Field(Path("/var/lib/maie"), description="Folder of uploads and results.")

    run_dir: Path = Field(
        Path("/run/maie"), description="Folder in which the worker asks for the language model's server (swap)."
    )

    redis_socket: Path | None = Field(
        Path("/run/maie-redis/redis.sock"), description="Unix socket of Redis; empty to use redis_host."
    )
    redis_host: str = Field("127.0.0.1", description="Host of Redis, where there is no socket.")
    redis_port: int = Field(6379, ge=1, le=65535, description="Port of Redis, where there is no socket.")

    queue_capacity: int = Field(5, ge=1, description="Tasks that may wait or run at a time; more are refused with 429.")
    task_attempts: int = Field(3, ge=1, description="How often a task is tried, crashes counted.")
    task_timeout_floor: float = Field(300.0, gt=0, description="Least time limit of a task, in seconds.")
    task_timeout_factor: float = Field(10.0, gt=0, description="Time limit of a task in seconds per second of audio.")
    llm_task_timeout_factor: float = Field(
        0.5,
        gt=0,
        description="Time limit of the language model's part of a task, in seconds per word and stage of it "
        "(task_timeout_floor at least).",
    )
    sweep_seconds: float = Field(15.0, gt=0, description="Seconds between two looks for abandoned tasks.")
    lease_seconds: float = Field(10.0, gt=1, description="Seconds after which a silent worker counts as lost.")
    retention_days: float = Field(7.0, gt=0, description="Days after which an ended task and its result are deleted.")
    max_kept_tasks: int = Field(
        10_000,
        ge=1,
        description="Ended tasks that are kept at most; beyond it the oldest are deleted with their results.",
    )
    upload_retention_hours: float = Field(24.0, gt=0, description="Hours after which any upload left over is deleted.")

    max_upload_bytes: int = Field(500 * 1024**2, gt=0, description="Largest upload, in bytes.")
    max_text_bytes: int = Field(512 * 1024, gt=0, description="Largest text, in bytes of its request.")
    max_audio_seconds: float = Field(3 * 3600.0, gt=0, description="Longest audio, in seconds.")
    min_free_bytes: int = Field(1024**3, ge=0, description="Disk space that uploads must leave free, in bytes.")
    disk_wait_seconds: float = Field(
        3600.0,
        ge=0,
        description="Seconds that a task waits for room on a full disk before it fails; the queue waits with it.",
    )
    upload_idle_seconds: float = Field(30.0, gt=0, description="Seconds without a byte after which an upload ends.")

    probe_confined: bool = Field(
        True,
        description="Whether the process that looks at an upload first must give up all access to files, network and "
        "other processes. False only where the kernel can't do that and all senders are trusted, as under qemu-user.",
    )

    vad: bool = Field(
        True, description="Recognise only what the detector takes for speech. False: all that is not silent."
    )
    asr_backend: str = Field(
        "faster_whisper", description=f"Engine of speech recognition: {backends.choices(backends.ASR)}."
    )
    asr_model: Path = Field(description="Folder of the ASR model in CTranslate2 form; openai does not read it.")
    asr_url: str = Field("http://127.0.0.1:8002/v1", description="Base address of the speech server (openai).")
    asr_model_name: str = Field("whisper-1", description="Name by which the speech server knows its model (openai).")
    asr_timeout_seconds: float = Field(
        120.0, gt=0, description="Time limit of 30 s of speech at the server, retries and all (openai)."
    )
    asr_retries: int = Field(2, ge=0, le=2, description="How often a piece is sent again when it fails (openai).")
    asr_device: Literal["cpu", "cuda"] = Field("cpu", description="Where the ASR model runs.")
    asr_compute_type: str = Field("int8", description="CTranslate2 compute type.")
    asr_beam_size: int = Field(3, ge=1, description="Beams of the ASR decoder.")
    asr_batch_size: int = Field(4, ge=1, description="Stretches of speech decoded together.")
    asr_threads: int = Field(0, ge=0, description="CPU threads of the ASR model; 0: as many as CTranslate2 chooses.")
    llm_backend: str = Field("none", description=f"Engine of the language model: {backends.choices(backends.LLM)}.")
    llm_model: Path | None = Field(
        None,
        description="Folder of the language model: in CTranslate2 form (ctranslate2), or as the server on this host "
        "loads it (openai); empty where the server is elsewhere.",
    )
    llm_url: str = Field(
        "http+unix://%2Frun%2Fmaie%2Fllm.sock/v1",
        description="Base address of the server, with /v1 (openai). A socket on this host is http+unix:// and its "
        "path, with %2F for each slash.",
    )
    llm_model_name: str = Field("maie-llm", description="Name by which the server knows its model (openai).")
    llm_device: Literal["cpu", "cuda"] = Field("cpu", description="Where the language model runs (ctranslate2).")
    llm_compute_type: str = Field("int8", description="CTranslate2 compute type of the language model.")
    llm_threads: int = Field(0, ge=0, description="CPU threads of the language model; 0: as CTranslate2 chooses.")
    llm_context_tokens: int = Field(
        8192, ge=1024, description="Tokens of prompt and reply together; a model that has fewer wins."
    )
    llm_max_sequences: int = Field(
        1, ge=1, description="Chats that the server on this host answers at a time (openai)."
    )
    llm_batched_tokens: int = Field(
        4096, ge=256, description="Tokens that the server on this host works on in one step (openai)."
    )
    llm_enforce_eager: bool = Field(
        False,
        description="Whether the server on this host does without CUDA graphs and compiled kernels (openai): two to "
        "three times slower.",
    )
    llm_residency: Literal["resident", "swap", "in_process"] | None = Field(
        None,
        description="Where the language model lives: resident (its server runs all the time), swap (its server runs "
        "while the engine process does not) or in_process (in the engine process: ctranslate2). Empty: the first that "
        "the memory plan finds to fit, which the deployment sets.",
    )
    llm_start_seconds: float = Field(
        600.0, gt=0, description="Time in which the language model's server must answer with a token (swap)."
    )
    llm_timeout_seconds: float = Field(
        600.0, gt=0, description="Time limit of one answer of the server, retries and all (openai)."
    )
    llm_retries: int = Field(2, ge=0, le=2, description="How often a request is sent again when it fails (openai).")
    llm_prompts: Literal["auto", "whole", "lines"] = Field(
        "auto",
        description="How the language model is asked: for a whole answer at a time (whole), or line by line, as small "
        "models need it (lines). auto: as the catalogue says of the model, and whole for one that it does not have.",
    )
    templates_dir: Path | None = Field(
        None, description="Folder of the operator's own templates, each a folder; empty for none."
    )

    engine_idle_seconds: float = Field(
        0.0, ge=0, description="Seconds without work after which the engine process gives its memory back; 0: never."
    )
    engine_recycle_tasks: int = Field(
        500, ge=0, description="Tasks after which the engine process is replaced by a new one; 0: never."
    )
    engine_recycle_mb: int = Field(
        1024,
        ge=0,
        description="MiB that the engine process may grow after its first task, then it is replaced; 0: any.",
    )
    engine_stall_seconds: float = Field(
        150.0,
        ge=3,
        description="Seconds without a sign of progress after which the engine process counts as hung, and its task is "
        "tried again.",
    )
    engine_start_seconds: float = Field(120.0, gt=0, description="Time in which the engine process must be ready.")

    @field_validator("redis_socket", "llm_model", "llm_residency", "templates_dir", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("asr_backend")
    @classmethod
    def _known_asr_backend(cls, value: str) -> str:
        return backends.known(backends.ASR, value)

    @field_validator("llm_backend")
    @classmethod
    def _known_llm_backend(cls, value: str) -> str:
        return backends.known(backends.LLM, value)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the profile, which arrives as arguments."""
        return env_settings, init_settings


def load_settings() -> Settings:
    """Read the settings of this process from the environment.

    Raises:
        ConfigurationError: A setting is missing or wrong; the text names each.
    """
    detected: ProfileName = "jetson" if is_jetson() else "x86"
    profile = os.environ.get("MAIE_PROFILE", detected)
    if profile not in PROFILES:
        raise ConfigurationError(f"MAIE_PROFILE is {profile!r}; it must be one of {', '.join(PROFILES)}.")
    defaults = {"profile": profile, **PROFILES[profile]}
    if "CREDENTIALS_DIRECTORY" in os.environ:
        defaults["credentials_dir"] = os.environ["CREDENTIALS_DIRECTORY"]
    try:
        return Settings(**defaults)
    except ValidationError as error:
        wrong = "; ".join(f"MAIE_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(f"The settings can't be used: {wrong}") from None
