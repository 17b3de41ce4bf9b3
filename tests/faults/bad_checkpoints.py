"""Bad checkpoints: files that would run code, are inconsistent or are something else."""

import io
import json
import os
import pickle
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from bad_input import BadInput, Place, change

ARRAYS, INFO = "weights.safetensors", "stavis.json"


class RunsCode:
    """Makes a folder when unpickled."""

    def __init__(self, path: Path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def convert(path: Path, place: Place, *flags: object) -> list[object]:
    if path.suffix == ".pth":
        pytest.importorskip("torch")
    return [path, "--output", place.output, *flags]


def torch_file(content: object, is_zip: bool) -> bytes:
    torch = pytest.importorskip("torch")

    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=is_zip)
    return file.getvalue()


def would_run_code(is_zip: bool, command: str = "convert") -> BadInput:
    def make(place: Place):
        content = {"state_dict": {"module.fuse.bias": RunsCode(place.folder / "ran")}}
        path = place.file("model.pth", torch_file(content, is_zip))
        if command == "predict":
            return [place.supplies.film, "--checkpoint", path, "--output", place.output]
        return convert(path, place)

    kind = "zip" if is_zip else "legacy"
    return BadInput(f"a .pth file ({kind}) whose pickle would run code", command, make, "would run code")


def bare_pickle(place: Place):
    return convert(place.file("model.pth", pickle.dumps(RunsCode(place.folder / "ran"), protocol=2)), place)


def npy_file(what: str, content, says: str) -> BadInput:
    """`content`: a function of the place, whose result is pickled in a .npy file."""

    def make(place: Place):
        file = io.BytesIO()
        np.save(file, np.array({"conv1": content(place)}, object), allow_pickle=True)
        return convert(place.file("sound8.npy", file.getvalue()), place)

    return BadInput(f"a .npy file {what}", "convert", make, says)


def pickled_module(place: Place):
    torch = pytest.importorskip("torch")

    return convert(place.file("model.pth", torch_file(torch.nn.Linear(2, 2), True)), place)


def pth(what: str, content, says: str = "not a PyTorch checkpoint, or damaged") -> BadInput:
    """`content` is bytes, or a function of the bytes of a good file."""

    def make(place: Place):
        new = content(place.supplies.pth.read_bytes()) if callable(content) else content
        return convert(place.file("model.pth", new), place)

    return BadInput(what, "convert", make, says)


def state(what: str, content, says: str) -> BadInput:
    return BadInput(
        what, "convert", lambda place: convert(place.file("model.pth", torch_file(content(), True)), place), says
    )


def changed_state(what: str, changed, says: str) -> BadInput:
    """A good checkpoint with one tensor changed."""

    def make(place: Place):
        torch = pytest.importorskip("torch")

        content = torch.load(place.supplies.pth)
        tensors = content.get("state_dict", content)
        changed(torch, tensors)
        return convert(place.file("model.pth", torch_file(content, True)), place)

    return BadInput(what, "convert", make, says)


def zip_bomb(place: Place):
    """Puts 100 MB of zeros, compressed to 100 KB, in place of the pickle."""
    path = place.folder / "model.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("archive/data.pkl", "w", force_zip64=True) as member:
            for _ in range(100):
                member.write(bytes(1 << 20))
        archive.writestr("archive/version", "3\n")
    return convert(path, place)


def huge_pickle_opcode(place: Place):
    """Writes a legacy file that announces a string of 2^62 bytes."""
    return convert(place.file("model.pth", b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"abc."), place)


def weights(what: str, spoil, says: str, command: str = "convert", whole_copy: bool = True) -> BadInput:
    """A converted directory that `spoil` changes. Its arrays are a link, unless it is a whole copy."""

    def make(place: Place):
        directory = place.copy("weights") if whole_copy else _linked(place)
        spoil(directory)
        if command == "predict":
            return [place.supplies.film, "--checkpoint", directory, "--output", place.output]
        return [directory, "--output", place.output.with_suffix(".stablehlo" if command == "export" else ".pth")]

    return BadInput(what, command, make, says)


def _linked(place: Place) -> Path:
    directory = place.folder / "weights"
    directory.mkdir()
    (directory / INFO).write_bytes((place.supplies.weights / INFO).read_bytes())
    (directory / ARRAYS).symlink_to(place.supplies.weights / ARRAYS)
    return directory


def info(what: str, changes, says: str, command: str = "convert") -> BadInput:
    def spoil(directory: Path) -> None:
        path = directory / INFO
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | changes if isinstance(changes, dict) else changes))

    return weights(what, spoil, says, command, whole_copy=False)


def with_arrays(what: str, content: bytes, says: str, command: str = "convert") -> BadInput:
    """Arrays with a correct checksum, as an attacker would write them."""

    def spoil(directory: Path) -> None:
        (directory / ARRAYS).unlink()
        (directory / ARRAYS).write_bytes(content)
        rehash(directory)

    return weights(what, spoil, says, command, whole_copy=False)


def rehash(directory: Path) -> None:
    import hashlib

    path = directory / INFO
    digest = hashlib.sha256((directory / ARRAYS).read_bytes()).hexdigest()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": digest}))


def safetensors_file(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(shape: list[int], end: int, dtype: str = "F32", begin: int = 0) -> dict:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}}


def one_array_changed(what: str, changed, says: str, command: str = "predict") -> BadInput:
    """The network's arrays, some of which `changed` alters, with a correct checksum."""

    def spoil(directory: Path) -> None:
        import safetensors.numpy

        arrays = safetensors.numpy.load_file(directory / ARRAYS)
        changed(arrays)
        (directory / ARRAYS).unlink()
        safetensors.numpy.save_file(arrays, directory / ARRAYS)
        rehash(directory)

    return weights(what, spoil, says, command, whole_copy=False)


def _without(name: str):
    return lambda arrays: arrays.pop(name)


def _as(name: str, dtype: str):
    return lambda arrays: arrays.update({name: arrays[name].astype(dtype)})


def _reshaped(torch, tensors) -> None:
    tensors["module.fuse.bias"] = torch.zeros(3)


def _complex(torch, tensors) -> None:
    tensors["module.fuse.bias"] = torch.zeros(1, dtype=torch.complex64)


def _quantised(torch, tensors) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would rather not have them
        tensors["module.fuse.bias"] = torch.quantize_per_tensor(torch.zeros(1), 1.0, 0, torch.quint8)


def _huge_expanded(torch, tensors) -> None:
    tensors["module.fuse.bias"] = torch.zeros(1).expand(1 << 40)


def _huge_sparse(torch, tensors) -> None:
    tensors["module.fuse.bias"] = torch.sparse_coo_tensor([[0]], [1.0], (1 << 40,), check_invariants=True)


def _meta(torch, tensors) -> None:
    tensors["module.fuse.bias"] = torch.zeros(1, device="meta")


def _counter(torch, tensors) -> None:
    tensors["module.bn1.num_batches_tracked"] = torch.tensor([1.5, 2.5])


def _export(place: Place, *flags: object) -> list[object]:
    return ["--output", place.output.with_suffix(".stablehlo"), *flags]


def _export_flag(place: Place, *flags: object) -> list[object]:
    return [place.supplies.weights, *_export(place, *flags)]


def _export_to_folder(place: Place):
    place.file("output.stablehlo/notes.txt", "")
    return _export_flag(place, "--overwrite")


def _export_to_file(place: Place):
    place.file("output.stablehlo", "")
    return _export_flag(place)


ROWS = [
    would_run_code(True),
    would_run_code(False),
    would_run_code(True, "predict"),
    BadInput("a bare pickle that would run code", "convert", bare_pickle, "model.pth"),
    BadInput("a whole pickled module", "convert", pickled_module, "would run code"),
    npy_file("whose pickle would run code", lambda place: RunsCode(place.folder / "ran"), "would run code"),
    npy_file("of objects", lambda place: {"weights": Path("x")}, "would run code"),
    npy_file("of something else", lambda place: {"weights": [1, 2]}, "holds no layers"),
    BadInput("a .pth file that is a zip bomb", "convert", zip_bomb, "unpacks to more than its size"),
    BadInput("a pickle that announces 2^62 bytes", "convert", huge_pickle_opcode, "model.pth"),
    pth("an empty .pth file", b""),
    pth("random bytes as .pth", np.random.default_rng(0).bytes(5000)),
    pth("a .pth file cut in half", lambda good: good[: len(good) // 2]),
    pth("a .pth file without its first bytes", lambda good: good[100:]),
    pth("a text as .pth", b"hello world\n"),
    pth("a zip of something else as .pth", lambda good: _zip({"a.txt": b"hello"})),
    pth("a zip with a member of another name as .pth", lambda good: _zip({"../../data.pkl": b"\x80\x02}."})),
    pth("an HTML page as .pth", b"<!DOCTYPE html><html>404</html>"),
    state("a state dict of numbers", lambda: {"state_dict": {"a": 1}}, "not a tensor"),
    state("a state dict with a key that is a number", lambda: {1: _ones()}, "model.pth"),
    state("a list as state dict", lambda: {"state_dict": [1, 2]}, "state dict"),
    state("tensors of another network", lambda: {"encoder.weight": _ones()}, "not a STAViS"),
    state("a network of blocks no depth has", lambda: {"layer1.7.conv1.weight": _ones()}, "fits no 3D ResNet"),
    state("blocks numbered 10^30", lambda: {f"layer1.{10**30}.conv1.weight": _ones()}, "fits no 3D ResNet"),
    changed_state("a tensor of another shape", _reshaped, "fuse.bias"),
    changed_state("a tensor of complex numbers", _complex, "fuse.bias"),
    changed_state("a quantised tensor", _quantised, "fuse.bias"),
    changed_state("a tensor of 2^40 elements from one number", _huge_expanded, "fuse.bias"),
    changed_state("a sparse tensor of 2^40 elements", _huge_sparse, "fuse.bias"),
    changed_state("a tensor without data", _meta, "fuse.bias"),
    changed_state("a counter that is two fractions", _counter, "num_batches_tracked"),
    weights("arrays cut short", lambda d: os.truncate(d / ARRAYS, 1000), "weights.safetensors: damaged"),
    weights("arrays with a flipped bit", lambda d: change(d / ARRAYS, -5, b"\x7f"), "weights.safetensors: damaged"),
    weights("no arrays", lambda d: (d / ARRAYS).unlink(), "weights.safetensors: cannot be read"),
    weights("a folder in place of the arrays", lambda d: _folder(d / ARRAYS), "weights.safetensors: cannot be read"),
    weights("a description that is no JSON", lambda d: (d / INFO).write_text("{ half"), "stavis.json: damaged"),
    weights("a description of bytes", lambda d: (d / INFO).write_bytes(b"\xff\xfe\xff"), "stavis.json: damaged"),
    weights(
        "a description nested 100,000 deep", lambda d: (d / INFO).write_text("[" * 100_000), "stavis.json: damaged"
    ),
    weights("a number of 10,000 digits", lambda d: _replace(d, '"depth": 10', '"depth": ' + "9" * 10_000), "damaged"),
    info("a description that is a list", [1, 2], "stavis.json: damaged"),
    info("a description of another version", {"format_version": 99}, "format version 99"),
    info("a depth that is a list", {"depth": [10]}, "stavis.json: damaged"),
    info("a depth there is not", {"depth": 11}, "stavis.json: damaged"),
    info("a variant that is a number", {"variant": 3}, "stavis.json: damaged"),
    info("a kind that is a list", {"kind": ["stavis"]}, "stavis.json: damaged"),
    info("a checksum that is missing", {"sha256": None}, "weights.safetensors: damaged"),
    info("an unknown field", {"colour": "red"}, "stavis.json: damaged"),
    info("an image size of 0", {"size": 0}, "stavis.json: damaged", "predict"),
    info("an image size of 10^9", {"size": 10**9}, "stavis.json: damaged", "predict"),
    info("an image size that is a word", {"size": "big"}, "stavis.json: damaged", "predict"),
    info("counters that are a word", {"batches_tracked": "many"}, "stavis.json: damaged"),
    info("counters of words", {"batches_tracked": {"trunk/bn1": "many"}}, "stavis.json: damaged"),
    info("an epoch that is a word", {"epoch": "last"}, "stavis.json: damaged"),
    with_arrays("a header of 2^63 bytes", safetensors_file({}, length=1 << 63), "weights.safetensors"),
    with_arrays("a header longer than the file", safetensors_file({}, length=10_000), "weights.safetensors"),
    with_arrays("a header that is no JSON", safetensors_file(b"{half"), "weights.safetensors"),
    with_arrays("a header nested 50,000 deep", safetensors_file(b"[" * 50_000), "weights.safetensors"),
    with_arrays("an array beyond the file", safetensors_file(tensor([1 << 40], 1 << 42)), "weights.safetensors"),
    with_arrays("a negative dimension", safetensors_file(tensor([-1], 4), bytes(4)), "weights.safetensors"),
    with_arrays("an offset that runs back", safetensors_file(tensor([1], 0, begin=4), bytes(4)), "weights.safetensors"),
    with_arrays("dimensions that overflow", safetensors_file(tensor([1 << 40] * 3, 4), bytes(4)), ARRAYS),
    with_arrays("an unknown number format", safetensors_file(tensor([1], 4, "X9"), bytes(4)), "weights.safetensors"),
    with_arrays("numbers NumPy has not", safetensors_file(tensor([4], 4, "F8_E5M2"), bytes(4)), "weights.safetensors"),
    with_arrays("no array at all", safetensors_file({}), "needs arrays", "predict"),
    one_array_changed("one array missing", _without("fuse/conv/bias"), "fuse/conv/bias"),
    one_array_changed("one array missing on the way back", _without("fuse/conv/bias"), "fuse/conv/bias", "convert"),
    one_array_changed("one array missing, to export", _without("fuse/conv/bias"), "fuse/conv/bias", "export"),
    info("an image size of 0, to export", {"size": 0}, "stavis.json: damaged", "export"),
    BadInput("a checkpoint that is not there", "export", lambda p: [p.folder / "no", *_export(p)], "no such file"),
    BadInput("a folder in place of the file to write", "export", _export_to_folder, "is a directory"),
    BadInput("a file to write that exists", "export", _export_to_file, "exists already. Give --overwrite"),
    BadInput("weights of an export elsewhere", "export", lambda p: _export_flag(p, "--weights", "above"), "--weights"),
    BadInput("an export in float16", "export", lambda p: _export_flag(p, "--dtype", "float16"), "--dtype"),
    BadInput(
        "an export of an unknown variant", "export", lambda p: _export_flag(p, "--variant", "av"), "'av' is not one"
    ),
    one_array_changed("an array of booleans", _as("fuse/conv/bias", "bool"), "fuse/conv/bias"),
]


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _ones():
    torch = pytest.importorskip("torch")

    return torch.ones(2)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _replace(directory: Path, old: str, new: str) -> None:
    path = directory / INFO
    path.write_text(path.read_text().replace(old, new))
