"""Everything that can go wrong, each with a stable code.

A client sees ``code``, ``http_status`` and ``detail``; nothing else of an error ever leaves the service. ``retryable``
says whether the same request can succeed later, for the queue and for clients.
"""

from __future__ import annotations


class MaieError(Exception):
    """Base of all errors that MAIE raises on purpose.

    Args:
        detail: One sentence for the person who made the request; no internal text.
        retry_after: Seconds after which a retry makes sense, where that is known.
    """

    code: str = "internal_error"
    http_status: int = 500
    title: str = "Internal error"
    retryable: bool = False

    def __init__(self, detail: str | None = None, *, retry_after: int | None = None) -> None:
        self.detail = detail or self.title
        self.retry_after = retry_after
        super().__init__(self.detail)


class ConfigurationError(MaieError):
    """The service can't start with these settings."""

    code = "configuration_error"
    title = "Configuration error"


class MalformedRequest(MaieError):
    """The client's bytes are not HTTP."""

    code = "malformed_request"
    http_status = 400
    title = "The request is not well-formed HTTP"


class HeadTooLarge(MaieError):
    """The path and headers of a request are too long."""

    code = "head_too_large"
    http_status = 431
    title = "The head of the request is too large"


class Unauthorized(MaieError):
    """No API key, or a wrong one."""

    code = "unauthorized"
    http_status = 401
    title = "A valid X-API-Key is required"


class TaskNotFound(MaieError):
    """No such task, or it is past its retention."""

    code = "task_not_found"
    http_status = 404
    title = "Unknown task"


class Conflict(MaieError):
    """The task is in a state that does not allow this."""

    code = "conflict"
    http_status = 409
    title = "The task's state does not allow this"


class UploadTooLarge(MaieError):
    """More bytes than the deployment accepts, counted while they arrive."""

    code = "too_large"
    http_status = 413
    title = "The upload is larger than this deployment accepts"


class UploadStalled(MaieError):
    """The client sends too slowly, or has stopped sending."""

    code = "upload_stalled"
    http_status = 408
    title = "The upload stalled"
    retryable = True


class NotAudio(MaieError):
    """The bytes are in no audio format that the service knows."""

    code = "not_audio"
    http_status = 415
    title = "The upload is not an audio file of a supported format"


class InvalidRequest(MaieError):
    """A field is missing or has an invalid value."""

    code = "invalid_request"
    http_status = 422
    title = "The request can't be processed"


class NotAvailable(InvalidRequest):
    """The request asks for something that this deployment does not offer."""

    code = "not_available"
    title = "Not available in this deployment"


class UnknownTemplate(InvalidRequest):
    """The request names a template that this deployment does not have."""

    code = "unknown_template"
    title = "Unknown template"


class TemplateNotFound(MaieError):
    """The path names a template that this deployment does not have."""

    code = "template_not_found"
    http_status = 404
    title = "Unknown template"


class TrackNotFound(InvalidRequest):
    """The request names an audio track that the file does not have."""

    code = "track_not_found"
    title = "Unknown audio track"


class UndecodableAudio(InvalidRequest):
    """An audio container whose content can't be decoded."""

    code = "undecodable"
    title = "The audio can't be decoded"


class EmptyAudio(InvalidRequest):
    """A file of zero bytes, or audio of zero seconds."""

    code = "empty_audio"
    title = "The audio is empty"


class AudioTooLong(InvalidRequest):
    """More seconds of audio than the deployment accepts."""

    code = "audio_too_long"
    title = "The audio is longer than this deployment accepts"


class QueueFull(MaieError):
    """All places of the queue are taken."""

    code = "queue_full"
    http_status = 429
    title = "The queue is full"
    retryable = True


class Unavailable(MaieError):
    """Redis, the worker or the disk can't serve the request at present."""

    code = "unavailable"
    http_status = 503
    title = "The service can't take requests at present"
    retryable = True


class TaskTimeout(MaieError):
    """The task ran longer than its limit."""

    code = "timeout"
    title = "The task took longer than its time limit"


class TaskCancelled(MaieError):
    """The task was cancelled on request."""

    code = "cancelled"
    http_status = 409
    title = "The task was cancelled"


class EngineFailed(MaieError):
    """The engine process ended, or failed, while it worked on the task."""

    code = "engine_failed"
    title = "The speech engine failed"
    retryable = True


class EngineOutOfMemory(EngineFailed):
    """The engine process ran out of memory."""

    code = "out_of_memory"
    title = "The speech engine ran out of memory"


class DiskFull(MaieError):
    """There is no room on the disk for the task's data.

    Not retryable: the worker has already waited for room, and another attempt would only wait again.
    """

    code = "disk_full"
    title = "The disk is full"


class WorkerLost(MaieError):
    """The worker ended while it worked on the task, in each of the task's attempts."""

    code = "worker_lost"
    title = "The worker was lost while it worked on the task"


class TaskExpired(MaieError):
    """The task waited for longer than its upload is kept."""

    code = "expired"
    title = "The task waited longer than its audio is kept"


class AsrUnavailable(MaieError):
    """The speech server is away, broken, refuses the request or answers something else.

    Not retryable: what can succeed a second time was tried again already, and the queue would repeat the whole task.
    """

    code = "asr_unavailable"
    title = "The speech server is not available"


class AsrTimeout(MaieError):
    """The speech server took too long."""

    code = "asr_timeout"
    title = "The speech server did not answer in time"


class LlmFailed(MaieError):
    """The language model gave no usable answer; the transcript is there nevertheless.

    Not retryable: what can succeed a second time was tried again already, and the queue would repeat the whole task.
    """

    code = "llm_failed"
    title = "The language model failed"


class LlmUnavailable(LlmFailed):
    """The language model's server is away, broken, or refuses the request."""

    code = "llm_unavailable"
    title = "The language model is not available"


class LlmTimeout(LlmFailed):
    """The language model's server took too long."""

    code = "llm_timeout"
    title = "The language model did not answer in time"


class LlmAnswerInvalid(LlmFailed):
    """The language model's answer is not what was asked for, even after a second attempt."""

    code = "llm_answer_invalid"
    title = "The language model's answer does not fit the template"


class LlmInputTooLong(LlmFailed):
    """The text doesn't fit in the language model's context, however it is split."""

    code = "llm_input_too_long"
    title = "The text does not fit in the language model's context"
