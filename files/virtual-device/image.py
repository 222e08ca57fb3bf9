#!/usr/bin/env python3
"""Make the image of a virtual host: a bare distribution with systemd, and the overlay of its kind.

Two layers, each named after the hash of what goes into it, so that each is made only when that changes:
the base (mmdebstrap, about half a minute) and the overlay of the kind (seconds). The package mirror, the
certificate authorities and the settings of apt and pip are those of the control node.
"""

from __future__ import annotations

import argparse
import configparser
import fcntl
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = "maie-virtual"
LOCK = HERE.parents[1] / ".cache" / "virtual-device.lock"
# Compiled for a host whose programs are emulated; init loads it into systemd.
LIBRARY = "usr/lib/maie-virtual/emulation/namespaces.so"
OVERLAYS = {"jetson": ("base", "jetson"), "x86": ("base",)}
PACKAGES = (
    "acl", "ca-certificates", "dbus", "iproute2", "kmod", "procps", "python3", "python3-apt", "python3-venv",
    "python3-yaml", "rsync", "sudo", "systemd", "systemd-sysv",
)  # fmt: skip
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
DEVICE_CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
PIP_OPTIONS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
APT_OPTION = re.compile(r'^Acquire::(?:(?:https?::|Check-)[\w:.-]+|Retries|ForceIPv[46]) "(?P<value>[^"]*)";$')


def output_of(*command: str) -> str:
    """What a program printed; raises CalledProcessError when it fails."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def distribution_sources(targets: str, distribution: str) -> str:
    """sources.list lines of the distribution's own archives, from `apt-get indextargets` rows."""
    lines = []
    for row in targets.splitlines():
        origin, uri, release, component = row.split("|")
        if origin.lower() == distribution:
            lines.append(f"deb {uri} {release} {component}\n")
    return "".join(sorted(set(lines)))


def control_node_sources(distribution: str) -> str:
    """The same from this machine; refreshes apt's lists when they are not there yet."""
    listing = ("apt-get", "indextargets", "--format", "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)")
    sources = distribution_sources(output_of(*listing, "Identifier: Packages"), distribution)
    if not sources:
        subprocess.run(("apt-get", "update", "-q"), check=True, stdout=sys.stderr)
        sources = distribution_sources(output_of(*listing, "Identifier: Packages"), distribution)
    if not sources:
        raise SystemExit(f"apt on this machine knows no archive of {distribution}: add one to its sources.")
    return sources


def apt_options(dump: str) -> str:
    """The download settings among `apt-config dump` lines, without those that name files of this machine."""
    taken = ['Acquire::Languages "none";']
    for line in dump.splitlines():
        match = APT_OPTION.match(line)
        if match and match["value"] and not match["value"].startswith("/"):
            taken.append(line)
    return "\n".join(taken) + "\n"


def pip_options(files: list[Path], environment: dict[str, str]) -> dict[str, str]:
    """The index settings of pip: later files win, the environment wins over files; local folders are left out."""
    found: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser(strict=False)
        parser.read(file)
        for section in ("global", "install"):
            found.update(parser.items(section) if parser.has_section(section) else ())
    for name in PIP_OPTIONS:
        value = environment.get("PIP_" + name.upper().replace("-", "_"))
        if value:
            found[name] = value
    found.setdefault("proxy", environment.get("https_proxy") or environment.get("HTTPS_PROXY") or "")
    taken = {"cert": DEVICE_CA_BUNDLE}
    for name in PIP_OPTIONS:
        words = [word for word in found.get(name, "").split() if not word.startswith(("file:", "/"))]
        if words:
            taken[name] = " ".join(words)
    return taken


def ca_bundle(environment: dict[str, str]) -> str:
    """All certificate authorities that this machine trusts, as PEM."""
    named = (environment.get(name, "") for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"))
    files = {Path(name) for name in (DEVICE_CA_BUNDLE, *named) if name}
    return "".join(file.read_text() for file in sorted(files) if file.is_file())


def control_node_files() -> dict[str, str]:
    """What the device takes over from this machine: path in the device → content."""
    home = Path.home()
    files = [Path("/etc/pip.conf"), home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    files += [Path(os.environ["PIP_CONFIG_FILE"])] if os.environ.get("PIP_CONFIG_FILE") else []
    pip = pip_options(files, dict(os.environ))
    uv = "native-tls = true\n" + (f'index-url = "{pip["index-url"]}"\n' if "index-url" in pip else "")
    return {
        "etc/pip.conf": "[global]\n" + "".join(f"{name} = {value}\n" for name, value in pip.items()),
        "etc/uv/uv.toml": uv,
        "usr/lib/maie-virtual/control-node-ca.pem": ca_bundle(dict(os.environ)),
    }


def overlay_files(kind: str, emulated: bool = False) -> dict[str, tuple[bytes, int]]:
    """Path in the device → (content, mode) of the overlay folders of a kind and of what is taken over."""
    files = {path: (text.encode(), 0o644) for path, text in control_node_files().items()}
    for folder in OVERLAYS[kind] + (("emulated",) if emulated else ()):
        for file in sorted((HERE / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
                files[str(file.relative_to(HERE / folder))] = (file.read_bytes(), mode)
    return files


def overlay_tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    """The overlay as a tar stream, everything owned by root."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, (content, mode) in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def digest(*parts: str | bytes) -> str:
    """First 12 hexadecimal digits of the hash over all parts, in order."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()[:12]


def have_image(tag: str) -> bool:
    """Whether the engine has the image."""
    return bool(output_of("docker", "image", "ls", "--quiet", tag).strip())


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two playbooks may want the same image at the same moment: the second waits, and finds it made."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_base(tag: str, architecture: str, release: str, sources: str, options: str) -> None:
    """The bare distribution, imported under `tag`."""
    with tempfile.TemporaryDirectory(prefix="maie-virtual-") as folder:
        settings, root = Path(folder, "apt.conf"), Path(folder, "root.tar")
        settings.write_text(options)
        command = ["mmdebstrap", "--variant=minbase", f"--architectures={architecture}", f"--aptopt={settings}"]
        command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT] + ["--dpkgopt=force-unsafe-io"]
        command += ["--include=" + ",".join(PACKAGES), "--format=tar", release, str(root), "-"]
        subprocess.run(command, check=True, input=sources, text=True, stdout=sys.stderr)
        platform = f"linux/{architecture}"
        with root.open("rb") as stream:
            importing = ("docker", "import", "--platform", platform, "-", tag)
            subprocess.run(importing, check=True, stdin=stream, stdout=sys.stderr)


def is_emulated(architecture: str) -> bool:
    """Whether programs of an architecture are emulated here by qemu-user, which lacks what LIBRARY makes up for."""
    return architecture == "arm64" and output_of("dpkg", "--print-architecture").strip() != architecture


def compiled_library(source: bytes) -> bytes:
    """LIBRARY from its source."""
    with tempfile.TemporaryDirectory(prefix="maie-virtual-") as folder:
        library = Path(folder, "namespaces.so")
        options = ("-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-nostdlib", "-x", "c", "-")
        subprocess.run(("aarch64-linux-gnu-gcc", *options, "-o", str(library)), input=source, check=True)
        return library.read_bytes()


def make_kind(tag: str, base: str, overlay: bytes) -> None:
    """The base with the overlay unpacked and set up, committed under `tag`."""
    name = tag.replace(":", "-") + f"-{os.getpid()}"
    steps = "tar -x -C / && exec /usr/lib/maie-virtual/setup"
    try:
        running = ("docker", "run", "--interactive", "--name", name, "--network", "none", base, "sh", "-c", steps)
        subprocess.run(running, check=True, input=overlay, stdout=sys.stderr)
        # The list form: in the other one a shell would be process 1.
        commit = ("docker", "commit", "--change", 'CMD ["/usr/lib/maie-virtual/init"]', name, tag)
        subprocess.run(commit, check=True, stdout=sys.stderr)
    finally:
        subprocess.run(("docker", "rm", "--force", name), check=False, capture_output=True)


def main() -> int:
    """Print the image's tag; with `build`, make what is missing first and say whether anything was made."""
    parser = argparse.ArgumentParser(description="Make the image of a virtual host.")
    parser.add_argument("action", choices=("tag", "build"))
    parser.add_argument("--kind", choices=tuple(OVERLAYS), default="jetson")
    parser.add_argument("--architecture", default="amd64", help="as dpkg names it")
    arguments = parser.parse_args()

    system = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE))
    distribution, release = system["ID"], system["VERSION_CODENAME"]
    sources = control_node_sources(distribution)
    options = apt_options(output_of("apt-config", "dump"))
    emulated = is_emulated(arguments.architecture)
    files = overlay_files(arguments.kind, emulated)
    base_digest = digest(arguments.architecture, release, sources, options, *PACKAGES, *LEFT_OUT)
    base = f"{REPOSITORY}:base-{arguments.architecture}-{base_digest}"
    content = digest(base, overlay_tar(files), Path(__file__).read_bytes())
    tag = f"{REPOSITORY}:{arguments.kind}-{arguments.architecture}-{content}"
    if arguments.action == "build":
        with one_at_a_time():
            if not have_image(tag):
                if not have_image(base):
                    make_base(base, arguments.architecture, release, sources, options)
                if emulated:
                    files[LIBRARY] = (compiled_library(files[LIBRARY.replace(".so", ".c")][0]), 0o644)
                make_kind(tag, base, overlay_tar(files))
    print(tag)
    return 0


if __name__ == "__main__":
    sys.exit(main())
