"""Put sizes and sums of the exported models into the catalogue, after a new training or with other packages.

``python -m maie_training.adapter.sums --gguf FILE``, in the project's folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from maie_training.adapter import export

FORMS = {"ctranslate2": "--out", "hugging_face": "--hf-out"}
_PIECE = 1 << 20


def sha256(path: Path) -> str:
    """Return a file's SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def renewed(text: str, gguf: Path, adapters: Path, scratch: Path) -> str:
    """Return a catalogue's text with the sums of what is exported now; nothing else of it changes."""
    for name, entry in json.loads(text).items():
        for source in (source for source in entry["sources"] if source["from"] == "export"):
            adapter, folder = adapters / source["adapter"]["name"], scratch / name
            export.main(["--gguf", str(gguf), "--adapter", str(adapter), FORMS[source["form"]], str(folder)])
            for file in entry["files"]:
                path = folder / file["name"]
                now = {"name": file["name"], "size": path.stat().st_size, "sha256": sha256(path)}
                text = _replaced(text, file, now)
                path.unlink()
            text = _replaced(text, source["adapter"], {"name": adapter.name, "sha256": sha256(adapter)})
    return text


def _replaced(text: str, old: object, new: object) -> str:
    """Replace what stands on one line of the catalogue, in each entry that has it."""
    was, now = json.dumps(old), json.dumps(new)
    if was not in text and now not in text:  # another entry may have had the same
        raise ValueError(f"the catalogue has no {was} on one line")
    return text.replace(was, now)


def main(argv: Sequence[str] | None = None) -> int:
    """Rewrite the catalogue."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--adapters", type=Path, default=Path("files/adapters"))
    parser.add_argument("--catalogue", type=Path, default=Path("app/src/maie/models/catalogue.json"))
    arguments = parser.parse_args(argv)
    text = arguments.catalogue.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        text = renewed(text, arguments.gguf, arguments.adapters, Path(scratch))
    arguments.catalogue.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
