"""The language model with its adapter in both forms, out of a tiny model made here."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import ctranslate2
import gguf
import numpy as np
import pytest
from maie_training.adapter import sums
from maie_training.adapter.base import BaseModel, Floats
from maie_training.adapter.export import main, rounded
from maie_training.adapter.lora import Adapter, Change, average, read_adapter, write_adapter
from support.tiny_gguf import BASE, EPSILON, HEAD, HEADS, KV_HEADS, LAYERS, WIDTH, made_adapter, write_tiny
from tokenizers import Tokenizer


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def export(tiny: Path, out: Path, adapter: Adapter | None) -> tuple[Path, Path]:
    arguments = ["--gguf", str(tiny), "--out", str(out / "ct2"), "--hf-out", str(out / "hf")]
    if adapter:
        write_adapter(out / "adapter.npz", adapter)
        arguments += ["--adapter", str(out / "adapter.npz")]
    assert main(arguments) == 0
    return out / "ct2", out / "hf"


def read_safetensors(path: Path) -> dict[str, Floats]:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    assert length % 8 == 0
    del header["__metadata__"]
    assert max(entry["data_offsets"][1] for entry in header.values()) == len(data)
    arrays = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        bits = np.frombuffer(data[start:end], "<u2").astype(np.uint32) << np.uint32(16)
        arrays[name] = bits.view(np.float32).reshape(entry["shape"])
    return arrays


def log_probabilities(weights: dict[str, Floats], words: list[int]) -> Floats:
    """What a Qwen2 of these weights holds of the word after each, by the book: words × vocabulary."""

    def norm(x: Floats, name: str) -> Floats:
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + EPSILON) * weights[f"{name}.weight"]

    def linear(x: Floats, name: str) -> Floats:
        return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", np.float32(0))

    def turned(x: Floats) -> Floats:
        angles = np.arange(len(words))[:, None] / BASE ** (np.arange(0, HEAD, 2) / HEAD)
        cos, sin = np.cos(np.tile(angles, 2)), np.sin(np.tile(angles, 2))
        half = HEAD // 2
        return x * cos + np.concatenate([-x[..., half:], x[..., :half]], -1) * sin

    x = weights["model.embed_tokens.weight"][words]
    future = np.triu(np.full((len(words), len(words)), -np.inf), 1)
    for layer in range(LAYERS):
        name = f"model.layers.{layer}"
        y = norm(x, f"{name}.input_layernorm")
        query = turned(linear(y, f"{name}.self_attn.q_proj").reshape(-1, HEADS, HEAD).swapaxes(0, 1))
        key = turned(linear(y, f"{name}.self_attn.k_proj").reshape(-1, KV_HEADS, HEAD).swapaxes(0, 1))
        value = linear(y, f"{name}.self_attn.v_proj").reshape(-1, KV_HEADS, HEAD).swapaxes(0, 1)
        score = query @ key.swapaxes(1, 2) / np.sqrt(HEAD) + future
        share = np.exp(score - score.max(-1, keepdims=True))
        heads = share / share.sum(-1, keepdims=True) @ value
        x = x + linear(heads.swapaxes(0, 1).reshape(len(words), WIDTH), f"{name}.self_attn.o_proj")
        y = norm(x, f"{name}.post_attention_layernorm")
        gate = linear(y, f"{name}.mlp.gate_proj")
        x = x + linear(gate / (1 + np.exp(-gate)) * linear(y, f"{name}.mlp.up_proj"), f"{name}.mlp.down_proj")
    logits = norm(x, "model.norm") @ weights["model.embed_tokens.weight"].T
    top = logits.max(-1, keepdims=True)
    return logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))


@pytest.mark.parametrize("adapted", [False, True], ids=["as it is", "adapted"])
def test_both_forms_are_the_same_qwen2(tiny: Path, tmp_path: Path, adapted: bool) -> None:
    ct2, hf = export(tiny, tmp_path, made_adapter() if adapted else None)
    tokenizer = Tokenizer.from_file(str(ct2 / "tokenizer.json"))
    words = tokenizer.encode("12 no task", add_special_tokens=False)
    assert "Ġno" in words.tokens
    expected = log_probabilities(read_safetensors(hf / "model.safetensors"), words.ids)
    generator = ctranslate2.Generator(str(ct2), compute_type="int8_float32")
    told = np.array(generator.forward_batch([words.tokens], return_log_probs=True))[0]
    assert np.corrcoef(told.ravel(), expected.ravel())[0, 1] > 0.995  # one has 8 bits


def test_the_adapter_is_added_to_the_weights(tiny: Path, tmp_path: Path) -> None:
    adapter = made_adapter()
    _, hf = export(tiny, tmp_path, adapter)
    weights, base = read_safetensors(hf / "model.safetensors"), BaseModel(tiny)
    for (layer, part), change in adapter.items():
        product = (change.up * change.scales) @ change.down.astype(np.float32)
        wanted = base.weight(layer, part) + product
        assert np.allclose(weights[f"model.layers.{layer}.{part}.weight"], wanted, rtol=2**-7, atol=1e-4), part
        assert np.abs(product).max() > 0.05


def test_the_same_inputs_give_the_same_bytes(tiny: Path, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        export(tiny, folder, made_adapter())
    first, second = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in folders)
    assert first == second
    assert {path.name for path in first} >= {"model.bin", "model.safetensors", "tokenizer.json", "vocabulary.json"}


def test_the_tokenizer_knows_what_is_no_text(tiny: Path) -> None:
    tokenizer = BaseModel(tiny).tokenizer()
    assert tokenizer.encode("<|im_start|>no", add_special_tokens=False).tokens == ["<|im_start|>", "n", "o"]
    text = "Rafał no 12"
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids) == text


def test_another_family_is_refused(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "other.gguf", "llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ValueError, match="llama, not qwen2"):
        BaseModel(tmp_path / "other.gguf")


def test_an_average_is_that_of_the_products() -> None:
    noise = np.random.default_rng(3)
    trainings = [(noise.normal(0, 1, (40, 4)), noise.normal(0, 1, (4, 30))) for _ in range(2)]
    change = average(trainings)
    assert change.up.dtype == change.down.dtype == np.int8
    assert len(change.scales) == 8
    wanted = sum(up @ down for up, down in trainings) / 2
    got = change.added_to(np.zeros_like(wanted, dtype=np.float32))
    assert np.linalg.norm(got - wanted) < 0.02 * np.linalg.norm(wanted)


def test_products_are_added_in_their_order_on_every_machine() -> None:
    """A product of matrices has an order of its library's own, which depends on the processor."""
    noise = np.random.default_rng(4)
    change = average([(noise.normal(0, 1, (90, 24)), noise.normal(0, 1, (24, 70)))])
    products = (change.up.T * change.scales[:, None])[:, :, None] * change.down[:, None, :].astype(np.float32)
    one_by_one = np.cumsum(products, axis=0, dtype=np.float32)[-1]
    assert np.array_equal(change.added_to(np.zeros((90, 70), np.float32)), one_by_one)


def test_an_adapter_is_read_as_it_was_written(tmp_path: Path) -> None:
    adapter = made_adapter()
    write_adapter(tmp_path / "adapter.npz", adapter)
    back = read_adapter(tmp_path / "adapter.npz")
    assert back.keys() == adapter.keys()
    for key, change in adapter.items():
        for name in Change.__dataclass_fields__:
            assert np.array_equal(getattr(back[key], name), getattr(change, name))


def test_rounding_is_to_the_nearest_and_of_two_to_the_even() -> None:
    step = np.float32(2**-7)  # of bfloat16 between 1 and 2
    values = np.array(
        [1, 1 + step * 0.49, 1 + step * 0.5, 1 + step * 0.51, 1 + step * 1.5, -1 - step * 0.51], np.float32
    )
    assert rounded(values).tolist() == [1, 1, 1, 1 + step, 1 + 2 * step, -1 - step]


def test_a_catalogue_gets_the_sums_of_what_is_exported_now(tiny: Path, tmp_path: Path) -> None:
    names = {"ctranslate2": "model.bin", "hugging_face": "model.safetensors"}
    catalogue = {
        form: {
            "files": [{"name": name, "size": 1, "sha256": f"old sum of {name}"}],
            "sources": [{"from": "export", "adapter": {"name": "adapter.npz", "sha256": "old"}, "form": form}],
        }
        for form, name in names.items()
    } | {"other": {"files": [], "sources": [{"from": "hub"}]}}
    path = tmp_path / "catalogue.json"
    path.write_text(json.dumps(catalogue))
    folders = dict(zip(names, export(tiny, tmp_path, made_adapter()), strict=True))
    assert sums.main(["--gguf", str(tiny), "--adapters", str(tmp_path), "--catalogue", str(path)]) == 0
    got = json.loads(path.read_text())
    for form, name in names.items():
        content = (folders[form] / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        assert got[form]["files"] == [{"name": name, "size": len(content), "sha256": digest}]
        adapter = hashlib.sha256((tmp_path / "adapter.npz").read_bytes()).hexdigest()
        assert got[form]["sources"][0]["adapter"]["sha256"] == adapter
    assert got["other"] == catalogue["other"]
