"""Damaged and hostile .pth files: each gives torch's arrays or one line, soon, in little memory, and runs nothing."""

import io
import pickle
import pickletools
import resource
import zipfile

import numpy as np
import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.weights.pytorch_file import read_checkpoint

torch = pytest.importorskip("torch")

FILES = 1000


def content() -> dict:
    """Returns a small checkpoint with one of everything."""
    whole = torch.arange(24.0).reshape(4, 6)
    state = {
        "module.conv1.weight": whole,
        "module.conv1.transposed": whole.T[1:, ::2],
        "module.bn1.half": torch.tensor([0.5, 2.0], dtype=torch.half),
        "module.bn1.bfloat16": torch.tensor([0.5, 3.0], dtype=torch.bfloat16),
        "module.bn1.num_batches_tracked": torch.tensor(7),
        "module.fc.bias": torch.nn.Parameter(torch.ones(3, dtype=torch.float64)),
    }
    return {"epoch": 61, "arch": "resnet-10", "state_dict": state, "best": 0.5, "sizes": torch.Size([1, 2])}


def saved(is_zip: bool) -> bytes:
    file = io.BytesIO()
    torch.save(content(), file, _use_new_zipfile_serialization=is_zip)
    return file.getvalue()


def mutated(data: bytes, draw: np.random.Generator) -> bytes:
    """Changes, removes, repeats or moves a few bytes."""
    changed = bytearray(data)
    for _ in range(draw.integers(1, 4)):
        place, length = int(draw.integers(len(changed))), int(draw.integers(1, 9))
        match draw.integers(5):
            case 0:
                changed[place] = int(draw.integers(256))
            case 1:
                changed[place] ^= 1 << int(draw.integers(8))
            case 2:
                del changed[place : place + min(length, len(changed) - 1)]
            case 3:
                changed[place:place] = changed[int(draw.integers(len(changed))) :][:length]
            case 4:
                del changed[max(place, 64) :]
    return bytes(changed)


def mutated_pickle(data: bytes, draw: np.random.Generator) -> bytes:
    """Mutates the pickle within a zip file, whose checksums are right again."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            member = old.read(name)
            new.writestr(name, mutated(member, draw) if name.endswith("data.pkl") else member)
    return file.getvalue()


def torch_arrays(data: bytes) -> dict | None:
    """Returns what torch reads, by plain name, or None if it refuses the file."""
    try:
        state = torch.load(io.BytesIO(data), weights_only=True)["state_dict"]
        return {
            key.removeprefix("module."): (value.float() if value.is_floating_point() else value).detach().numpy()
            for key, value in state.items()
        }
    except Exception:
        return None


def arrays_or_error(path) -> tuple[dict | None, str | None]:
    try:
        return read_checkpoint(path).state, None
    except UserError as error:
        return None, str(error)


@pytest.mark.filterwarnings("ignore")  # torch warns of some damaged files
@pytest.mark.slow
def test_a_thousand_damaged_files_give_the_same_arrays_as_torch_or_one_line(tmp_path):
    draw, path, read = np.random.default_rng(0), tmp_path / "damaged.pth", 0
    originals = {is_zip: saved(is_zip) for is_zip in (True, False)}
    sound = torch_arrays(originals[True])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(FILES):
        is_zip, mutate = number % 3 != 0, mutated_pickle if number % 3 == 1 else mutated
        path.write_bytes(data := mutate(originals[is_zip], draw))
        found, error = arrays_or_error(path)
        assert error is None or (error.startswith(f"{path}: ") and "\n" not in error), number
        if found is None:
            continue
        read += 1
        by_torch = torch_arrays(data)
        others = [None] * len(found) if by_torch is None else by_torch.values()
        for (key, array), other in zip(found.items(), others, strict=True):
            # Torch refuses some files of which a name has changed, and does not check every checksum of a zip file.
            is_sound = np.array_equal(array, sound.get(key, array)) if is_zip else other is None
            assert is_sound or np.array_equal(array, other), f"{number} {key}"
    assert 0.02 * FILES < read < 0.9 * FILES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def pickled(*steps: bytes) -> bytes:
    return pickle.PROTO + b"\x02" + b"".join(steps) + pickle.STOP


def doubled(times: int) -> bytes:
    """A tuple of two tuples of two tuples ...: 2^times elements, and short."""
    return b")" + b"q\x00h\x00\x86" * times


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([b"}", doubled(200), b"K\x01s"], "holds no state dict"),  # a key that takes 2^200 steps to hash
        ([doubled(200), b"\x85", named("torch", "Size"), b"\x86"], "holds no state dict"),
        (
            [doubled(200), b"0", doubled(200), doubled(200), b"\x93"],
            "not a PyTorch checkpoint",
        ),  # names that are tuples
        ([b"}q\x00", b"X\x01\x00\x00\x00ah\x00s"], "holds no state dict"),  # a dictionary in itself
        ([b"K\x01r\xff\xff\xff\x7f"], "holds no state dict"),  # a memo of 2^31 places
        ([named("torch._utils", "_rebuild_tensor_v2"), b"}b"], "not a PyTorch checkpoint"),  # attributes of a function
        ([named("collections", "OrderedDict"), b"N}X\x01\x00\x00\x00ah\x00s\x86b"], "not a PyTorch checkpoint"),
        ([b"\x8e" + b"\xff" * 8], "not a PyTorch checkpoint"),  # 2^64 bytes
        ([b"Pwords\n"], "not a PyTorch checkpoint"),
        ([b"\x82\x01"], "not a PyTorch checkpoint"),  # a name of copyreg
        ([named("builtins", "eval"), b"X\x01\x00\x00\x001\x85R"], r"refused, .*\(builtins\.eval\)"),
        ([named("builtins", "getattr")], r"refused, .*\(builtins\.getattr\)"),
        ([named("torch", "load")], r"refused, .*\(torch\.load\)"),
        ([named("numpy", "load")], r"refused, .*\(numpy\.load\)"),
        ([named("torch.storage", "_load_from_bytes")], r"refused, .*\(torch\.storage\._load_from_bytes\)"),
    ],
)
@pytest.mark.parametrize("is_zip", [True, False])
def test_hostile_pickles_end_in_one_line(steps, says, is_zip, tmp_path):
    path, hostile = tmp_path / "hostile.pth", pickled(*steps)
    if is_zip:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", hostile)
    else:
        data = io.BytesIO(saved(False))
        for _ in range(3):
            end = [position for _, _, position in pickletools.genops(data)][-1]
            data.seek(end + 1)
        path.write_bytes(data.getvalue()[: data.tell()] + hostile + pickled(b"]"))
    with pytest.raises(UserError, match=rf"^[^\n]*hostile\.pth: [^\n]*{says}[^\n]*$"):
        read_checkpoint(path)


def test_dictionaries_within_each_other_are_searched_once(tmp_path):
    content: dict = {}
    for _ in range(6):
        content = {str(number): content for number in range(500)}
    torch.save(content, tmp_path / "wide.pth")
    with pytest.raises(UserError, match="holds no state dict"):
        read_checkpoint(tmp_path / "wide.pth")
