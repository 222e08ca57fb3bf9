"""Trust the certificate authorities of the control node, so that a company's proxy is no obstacle."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
LOCAL = Path("/usr/local/share/ca-certificates")
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def missing_certificates(known: str, offered: str) -> list[str]:
    """The certificates (PEM) of `offered` that `known` does not hold, each once."""
    have = {"".join(block.split()) for block in CERTIFICATE.findall(known)}
    missing = []
    for block in CERTIFICATE.findall(offered):
        key = "".join(block.split())
        if key not in have:
            have.add(key)
            missing.append(block)
    return missing


def main() -> None:
    """Install what is missing as local authorities, which survive upgrades of ca-certificates."""
    blocks = missing_certificates(BUNDLE.read_text(), Path(sys.argv[1]).read_text())
    LOCAL.mkdir(parents=True, exist_ok=True)
    for number, block in enumerate(blocks, start=1):
        (LOCAL / f"control-node-{number:02}.crt").write_text(block + "\n")
    subprocess.run(("update-ca-certificates",), check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
