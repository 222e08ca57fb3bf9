"""Passes pip's configuration on this host to uv, which reads neither pip's files nor its variables.

The machine's files, the user's files, pip's variables, and arguments: each overrides those named before it.
"""

from __future__ import annotations

import argparse
import configparser
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

LISTS = ("extra-index-url", "find-links", "trusted-host")
SINGLE = ("index-url", "no-index", "cert", "client-cert", "proxy", "timeout", "retries")
USELESS = ("--no-cache-dir", "--no-input", "--disable-pip-version-check", "--quiet", "--prefer-binary")
"""Arguments that change nothing here: uv keeps no cache, never asks, and uses only wheels."""


class UnknownArgument(ValueError):
    """An argument for pip that uv has no equivalent for; the text names it."""


class Parser(argparse.ArgumentParser):
    """Raises an exception where argparse would exit."""

    def error(self, message: str) -> NoReturn:
        """Raise UnknownArgument."""
        raise UnknownArgument(message)


def of_arguments(arguments: Sequence[str]) -> dict[str, list[str]]:
    """Return the settings in arguments of ``pip install``, as lists of words.

    Raises:
        UnknownArgument: uv has no equivalent for one of them.
    """
    parser = Parser(add_help=False, allow_abbrev=False)
    short = {"index-url": ["-i"], "find-links": ["-f"]}
    for name in LISTS + SINGLE:
        if name == "no-index":
            parser.add_argument("--no-index", action="store_const", const=["1"])
        else:
            parser.add_argument(f"--{name}", *short.get(name, []), action="append")
    for flag in USELESS:
        parser.add_argument(flag, action="store_true")
    given = vars(parser.parse_args(arguments))
    return {name: given[name.replace("-", "_")] or [] for name in LISTS + SINGLE}


def config_files(environment: Mapping[str, str]) -> list[Path]:
    """Return pip's files, in the order in which they override each other."""
    named = environment.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    home = Path(environment.get("HOME", "/root"))
    files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf")]
    files += [home / ".pip/pip.conf", Path(environment.get("XDG_CONFIG_HOME", home / ".config")) / "pip/pip.conf"]
    return files + ([Path(named)] if named else [])


def settings(files: Sequence[Path], environment: Mapping[str, str], arguments: Sequence[str]) -> dict[str, list[str]]:
    """Return the effective settings, as lists of words; empty for those that are not set.

    Raises:
        UnknownArgument: uv has no equivalent for one of the arguments.
    """
    found: dict[str, list[str]] = {name: [] for name in LISTS + SINGLE}
    for file in files:
        parser = configparser.RawConfigParser(strict=False)
        parser.read(file)
        for section in ("global", "install"):
            options = parser.items(section) if parser.has_section(section) else []
            found.update({name.replace("_", "-"): value.split() for name, value in options})
    for name in found:
        value = environment.get(f"PIP_{name.upper().replace('-', '_')}")
        if value:
            found[name] = value.split()
    for name, words in of_arguments(arguments).items():
        # As in pip: arguments that may be repeated add to the settings.
        found[name] = (found[name] + words if name in LISTS else words) if words else found[name]
    return found


def without_index(found: Mapping[str, Sequence[str]]) -> bool:
    """Return whether to use no index, for which uv has an argument but no variable."""
    return "".join(found["no-index"]).lower() in ("1", "true", "yes", "on")


def for_uv(found: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the settings as environment variables for uv."""
    last = {name: words[-1] for name, words in found.items() if words}
    cert = last.get("cert", "")
    told = {
        "UV_DEFAULT_INDEX": last.get("index-url"),
        "UV_INDEX": " ".join(found["extra-index-url"]),
        "UV_FIND_LINKS": ",".join(found["find-links"]),
        "UV_INSECURE_HOST": " ".join(found["trusted-host"]),
        "SSL_CERT_DIR" if Path(cert).is_dir() else "SSL_CERT_FILE": cert,
        "SSL_CLIENT_CERT": last.get("client-cert"),
        "ALL_PROXY": last.get("proxy"),
        "UV_HTTP_TIMEOUT": last.get("timeout"),
        "UV_HTTP_RETRIES": last.get("retries"),
    }
    return {name: value for name, value in told.items() if value}
