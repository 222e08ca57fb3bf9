"""The image's recipe: what it takes over from the control node, and what it is named after."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import image
import pytest
from maie_virtual.trust import missing_certificates


def certificate(body: str) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"


def test_only_the_distributions_archives_are_used() -> None:
    targets = (
        "Debian|http://mirror.example/debian/|bookworm|main\n"
        "Debian|http://mirror.example/debian/|bookworm-updates|main\n"
        "Debian|http://mirror.example/debian/|bookworm|main\n"
        "Somebody|http://other.example/apt/|bookworm|main\n"
    )
    assert image.distribution_sources(targets, "debian").splitlines() == [
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/debian/ bookworm-updates main",
    ]


def test_apt_settings_of_this_machines_files_stay_here() -> None:
    dump = (
        'Acquire::http::Proxy "http://proxy.example:3128";\n'
        'Acquire::https::CaInfo "/etc/ssl/own.pem";\n'
        'Acquire::Check-Valid-Until "false";\n'
        'Acquire::Retries "3";\n'
        'Acquire::cdrom::mount "/media/cdrom/";\n'
        'APT::Architecture "amd64";\n'
    )
    assert image.apt_options(dump).splitlines() == [
        'Acquire::Languages "none";',
        'Acquire::http::Proxy "http://proxy.example:3128";',
        'Acquire::Check-Valid-Until "false";',
        'Acquire::Retries "3";',
    ]


def test_pip_settings_without_local_folders(tmp_path: Path) -> None:
    low, high = tmp_path / "a.conf", tmp_path / "b.conf"
    low.write_text("[global]\ntimeout = 5\nfind-links = /opt/built\nindex-url = https://low.example/simple\n")
    high.write_text(
        "[global]\nindex-url = https://high.example/simple\nextra-index-url = file:///opt/simple https://x.example\n"
    )
    taken = image.pip_options([low, high, tmp_path / "none"], {"PIP_TIMEOUT": "180"})
    assert taken == {
        "cert": "/etc/ssl/certs/ca-certificates.crt",
        "index-url": "https://high.example/simple",
        "extra-index-url": "https://x.example",
        "timeout": "180",
    }


def test_proxy_of_the_environment_is_taken_over() -> None:
    assert image.pip_options([], {"https_proxy": "http://proxy.example:3128"})["proxy"] == "http://proxy.example:3128"


def test_only_unknown_authorities_are_added() -> None:
    known = certificate("AAAA") + certificate("BBBB")
    assert missing_certificates(known, certificate("BB\nBB") + certificate("CCCC") * 2) == [certificate("CCCC").strip()]


def test_overlay_keeps_programs_executable_and_belongs_to_root() -> None:
    stream = io.BytesIO(image.overlay_tar(image.overlay_files("jetson")))
    with tarfile.open(fileobj=stream) as archive:
        modes = {member.name: (member.mode, member.uid) for member in archive.getmembers()}
    assert modes["usr/sbin/nvpmodel"] == (0o755, 0)
    assert modes["usr/lib/maie-virtual/init"] == (0o755, 0)
    assert modes["etc/nvpmodel/nvpmodel_p3767_0003_super.conf"] == (0o644, 0)
    assert "etc/pip.conf" in modes
    assert not [name for name in modes if "__pycache__" in name]


def test_plain_host_has_nothing_of_the_board() -> None:
    assert not [name for name in image.overlay_files("x86") if "jetson" in name or "nv" in Path(name).name]


def test_only_a_host_of_another_architecture_is_emulated() -> None:
    own = image.output_of("dpkg", "--print-architecture").strip()
    assert not image.is_emulated(own)
    assert image.is_emulated("arm64") == (own != "arm64")
    added = set(image.overlay_files("x86", emulated=True)) - set(image.overlay_files("x86"))
    assert added == {"etc/systemd/system/service.d/emulated.conf", image.LIBRARY.replace(".so", ".c")}


@pytest.mark.parametrize(("first", "second"), [(("ab", "c"), ("a", "bc")), (("a",), ("b",))])
def test_name_follows_the_content(first: tuple[str, ...], second: tuple[str, ...]) -> None:
    assert image.digest(*first) == image.digest(*first)
    assert image.digest(*first) != image.digest(*second)
