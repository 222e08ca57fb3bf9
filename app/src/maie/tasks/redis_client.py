"""The connection to the service's own Redis."""

from __future__ import annotations

import os
import time
from errno import EACCES
from typing import Any

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from maie.errors import ConfigurationError
from maie.logs import get_logger
from maie.notify import notify
from maie.settings import Settings

SOCKET_TIMEOUT = 5.0
"""Seconds for Redis to answer."""

WAIT_SECONDS = 0.5

log = get_logger(__name__)


def connect(settings: Settings) -> redis.Redis:
    """Return a client of the service's Redis; nothing is sent yet.

    Raises:
        PermissionError: The password is not open to this user.
        ConfigurationError: It is not there.
    """
    password_file = settings.credentials_dir / "redis_password"
    try:
        password = password_file.read_text(encoding="utf-8").strip()
    except PermissionError:
        raise
    except OSError as error:
        raise ConfigurationError(
            f"The password of Redis can't be read from {password_file}: {error.strerror}."
        ) from None
    common: dict[str, Any] = {
        "password": password,
        "socket_timeout": SOCKET_TIMEOUT,
        "socket_connect_timeout": 2.0,
        # One silent retry covers a connection that Redis closed; the caller hears of longer trouble.
        "retry": Retry(ConstantBackoff(0.05), 1),
    }
    if settings.redis_socket is not None:
        return redis.Redis(unix_socket_path=str(settings.redis_socket), **common)
    return redis.Redis(host=settings.redis_host, port=settings.redis_port, **common)


def require_safe_redis(connection: redis.Redis) -> None:
    """Refuse a Redis that would delete tasks to make room.

    Raises:
        ConfigurationError: Its eviction policy is another than noeviction.
        redis.RedisError: It can't be asked.
    """
    memory: Any = connection.info("memory")
    policy = memory["maxmemory_policy"]
    if policy != "noeviction":
        raise ConfigurationError(f"Redis has maxmemory-policy {policy}; tasks are only safe with noeviction.")


def wait_for_redis(connection: redis.Redis) -> None:
    """Wait until Redis answers; the service manager's time limit bounds the wait.

    Raises:
        PermissionError: Its socket is not open to this user.
        ConfigurationError: Redis would delete tasks to make room, or refuses the password.
    """
    while True:
        try:
            return require_safe_redis(connection)
        except redis.AuthenticationError:
            raise ConfigurationError("Redis refuses the password in credentials_dir/redis_password.") from None
        except redis.RedisError as error:
            if isinstance(error.__context__, PermissionError):
                raise PermissionError(
                    EACCES, os.strerror(EACCES), connection.get_connection_kwargs().get("path")
                ) from None
            notify("STATUS=Waiting for Redis")
            log.warning("Redis does not answer yet", error=str(error))
            time.sleep(WAIT_SECONDS)
