"""A model that is made of a tiny public one and an adapter, and what a catalogue says of it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from maie_training.adapter import export
from maie_training.adapter.lora import write_adapter
from model_hub_server import COMMIT
from support.tiny_gguf import made_adapter, write_tiny

FORMS = {"ctranslate2": "--out", "hugging_face": "--hf-out"}


def listed(folder: Path) -> list[dict[str, Any]]:
    """Return a folder's files as a catalogue has them."""
    return [
        {"name": path.name, "size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in sorted(folder.iterdir())
    ]


def make_all(folder: Path) -> None:
    """Write the public model, the adapter, and what they make in each form, into folders of their own."""
    (folder / "base").mkdir()
    (folder / "adapters").mkdir()
    write_tiny(folder / "base/tiny.gguf")
    write_adapter(folder / "adapters/ours.npz", made_adapter())
    arguments = ["--gguf", str(folder / "base/tiny.gguf"), "--adapter", str(folder / "adapters/ours.npz")]
    for form, option in FORMS.items():
        arguments += [option, str(folder / form)]
    assert export.main(arguments) == 0


def of_export(made: Path, form: str = "ctranslate2") -> dict[str, Any]:
    """Return the source that base and adapter are."""
    (adapter,) = listed(made / "adapters")
    return {"from": "export", "base": "base", "adapter": {n: adapter[n] for n in ("name", "sha256")}, "form": form}


def catalogue(made: Path) -> dict[str, Any]:
    """Return the entries of the model, in the form for CTranslate2, and of its base, which a hub has."""
    return {
        "ours": {"files": listed(made / "ctranslate2"), "sources": [of_export(made)]},
        "base": {
            "files": listed(made / "base"),
            "sources": [{"from": "hub", "repository": "somebody/base", "revision": COMMIT}],
        },
    }
