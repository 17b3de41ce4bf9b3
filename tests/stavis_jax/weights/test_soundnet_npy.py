"""SoundNet from a .npy file of TensorFlow's layout, as Python 2 pickled it: arrays, PyTorch's features, no code."""

import io
import pickle
import re
import struct

import jax
import numpy as np
import pytest
from flax import nnx

from data_pipelines.runtime.errors import UserError
from stavis_jax import convert
from stavis_jax.models.soundnet import FEWEST_SAMPLES, ROWS, SoundNet
from stavis_jax.weights.flat_names import fill_network
from stavis_jax.weights.loading import load_weights
from stavis_jax.weights.soundnet_npy import read_soundnet

RECONSTRUCT, NDARRAY, DTYPE = b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n"


def python_2(value) -> bytes:
    """Pickles plain values and arrays as Python 2 and its NumPy did with protocol 2; bytes are its texts."""
    match value:
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            return b"J" + struct.pack("<i", value)
        case str():
            return python_2(value.encode())
        case bytes():
            return b"T" + struct.pack("<i", len(value)) + value
        case tuple():
            return b"(" + b"".join(map(python_2, value)) + b"t"
        case list():
            return b"](" + b"".join(map(python_2, value)) + b"e"
        case dict():
            return b"}(" + b"".join(python_2(key) + python_2(item) for key, item in value.items()) + b"u"
        case np.ndarray():
            return array(value.shape, value.dtype.str[1:], value.tobytes(), value.dtype.str[0])
    raise TypeError(type(value))


def array(shape: tuple, code: str, content, order: str = "<") -> bytes:
    dtype = DTYPE + python_2((code, 0, 1)) + b"R" + python_2((3, order, None, None, None, -1, -1, 0)) + b"b"
    empty = RECONSTRUCT + b"(" + NDARRAY + python_2((0,)) + python_2("b") + b"tR"
    return empty + b"(" + python_2(1) + python_2(shape) + dtype + python_2(False) + python_2(content) + b"tb"


def npy(pickled: bytes, descr: str = "|O") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": ()})
    return file.getvalue() + pickled


def whole(layers: dict) -> bytes:
    """The file of a dictionary: an array of one object."""
    return npy(b"\x80\x02" + array((), "O8", [layers], "|") + b".")


def around(inner: bytes) -> bytes:
    """The file of a dictionary whose only layer, conv1, is pickled already."""
    outer = b"](}(" + python_2("conv1") + inner + b"ue"
    empty = array((), "O8", None, "|").removesuffix(python_2(None) + b"tb")
    return npy(b"\x80\x02" + empty + outer + b"tb.")


@pytest.fixture(scope="module")
def layers() -> dict[str, dict[str, np.ndarray]]:
    """All layers of SoundNet, with the shapes of the public file but for its classifiers, which are small here."""
    draw, found, inputs = np.random.default_rng(0), {}, 1
    for number, (features, size, _, _) in enumerate(ROWS, start=1):
        spread = 1 / np.sqrt(size * inputs)
        found[f"conv{number}"] = {
            "weights": draw.normal(0, spread, (size, 1, inputs, features)).astype(np.float32),
            **{name: draw.normal(0, 0.1, features).astype(np.float32) for name in ("biases", "beta", "mean")},
            **{name: draw.uniform(0.5, 2, features).astype(np.float32) for name in ("gamma", "var")},
        }
        inputs = features
    classifier = {"weights": np.ones((8, 1, 2, 3), np.float32), "biases": np.ones(3, np.float32)}
    return found | {"conv8": classifier, "conv8_2": classifier}


@pytest.fixture
def sound8(layers, tmp_path):
    path = tmp_path / "sound8.npy"
    path.write_bytes(whole(layers))
    return path


def test_every_array_is_used_and_the_others_are_told(sound8, layers, tmp_path, capsys):
    convert.main([str(sound8), "--output", str(tmp_path / "soundnet")])
    assert re.search(r"SoundNet\s.*42 used, 4 not needed \(conv8, conv8_2\)", capsys.readouterr().out, re.DOTALL)
    weights, info = load_weights(tmp_path / "soundnet")
    assert (info.kind, info.source, len(weights)) == ("soundnet", "sound8.npy", 42)
    np.testing.assert_array_equal(weights["soundnet/conv2/kernel"], layers["conv2"]["weights"][:, 0])
    np.testing.assert_array_equal(weights["soundnet/bn7/var"], layers["conv7"]["var"])
    for name, found in load_weights(sound8)[0].items():  # --config.init.soundnet takes the file too
        np.testing.assert_array_equal(found, weights[name])


def test_features_are_pytorchs(sound8, layers):
    torch = pytest.importorskip("torch")
    waveform = np.random.default_rng(1).normal(0, 50, (1, FEWEST_SAMPLES + 2000)).astype(np.float32)
    x = torch.from_numpy(waveform)[:, None, :]
    for number, (_, _, padding, pool) in enumerate(ROWS, start=1):
        of = {name: torch.from_numpy(value) for name, value in layers[f"conv{number}"].items()}
        kernel = of["weights"][:, 0].permute(2, 1, 0)
        x = torch.nn.functional.conv1d(x, kernel, of["biases"], stride=2, padding=padding)
        x = torch.nn.functional.batch_norm(x, of["mean"], of["var"], of["gamma"], of["beta"]).relu()
        x = torch.nn.functional.max_pool1d(x, pool) if pool > 1 else x
    network = SoundNet(rngs=nnx.Rngs(0))
    ours = {name.removeprefix("soundnet/"): array for name, array in load_weights(sound8)[0].items()}
    assert not fill_network(network, ours)
    found = jax.jit(lambda heard: network(heard, False))(waveform)
    expected = x.amax(dim=2).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (b"cposix\nsystem\n", "posix.system"),
        (b"c__builtin__\neval\n", "__builtin__.eval"),
        (b"cnumpy\nload\n", "numpy.load"),
        (b"cnumpy.core.multiarray\nscalar\n", "numpy.core.multiarray.scalar"),
        (b"ccollections\nOrderedDict\n", "collections.OrderedDict"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n", "torch._utils._rebuild_tensor_v2"),
    ],
)
def test_any_other_name_is_refused(tmp_path, name, said):
    path = tmp_path / "sound8.npy"
    path.write_bytes(npy(b"\x80\x02" + name + b"(" + python_2("true") + b"tR."))
    with pytest.raises(UserError, match=rf"refused, loading it would run code from the file \({re.escape(said)}\)"):
        load_weights(path)


class Hostile:
    def __reduce__(self):
        return print, ("run",)


def small(**changes) -> bytes:
    return python_2({"conv1": {"biases": np.ones(2, np.float32)}} | changes)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (npy(pickle.dumps(np.array({"conv1": Hostile()}), 2)), "refused"),
        (npy(b""), "no pickle"),
        (npy(b"\x80\x02" + small() + b"."), "no single object"),
        (npy(b"", "<f4"), "an array of numbers"),
        (b"\x93NUMPY\x03\x00" + bytes(100), "an array of numbers"),
        (b"\x93NUMPY\x01\x00\xff\xff{" + bytes(100), "an array of numbers"),
        (whole({"conv1": 3}), "holds no layers"),
        (whole({"conv1": {"weights": [1]}}), "holds no layers"),
        (whole({}), "holds no layers"),
        (whole({"conv1": {"biases": np.full(16, np.nan, np.float32)}}), "soundnet8.0.bias holds values that are not"),
        (whole({"conv1": {"biases": np.ones(16, np.float32)}}), "missing keys: soundnet8.0.weight"),
        (whole({"conv9": {"biases": np.ones(16, np.float32)}}), "not a STAViS, 3D ResNet or SoundNet"),
    ],
)
def test_damaged_and_other_files_are_one_line(tmp_path, content, fault, capsys):
    path = tmp_path / "sound8.npy"
    path.write_bytes(content)
    with pytest.raises(UserError, match=fault) as raised:
        load_weights(path)
    assert "sound8.npy: " in str(raised.value) and "run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("shape", "code", "content"),
    [((3,), "f4", b"12"), ((2**30,), "f4", b"1234"), ((-1,), "f4", b""), ((1,), "O8", [1]), ((1,), "f4", 4)],
)
def test_arrays_have_the_numbers_that_the_file_has(tmp_path, shape, code, content):
    path = tmp_path / "sound8.npy"
    inner = b"}(" + python_2("biases") + array(shape, code, content) + b"u"
    path.write_bytes(around(inner))
    with pytest.raises(UserError, match="an array of"):
        read_soundnet(path)


def test_numbers_that_are_named_often_do_not_fill_the_memory(tmp_path):
    path = tmp_path / "sound8.npy"
    once = b"q\x00" + b"".join(python_2(f"b{number}") + b"h\x00" for number in range(1000))
    first = python_2("biases") + array((250_000,), "f4", bytes(1_000_000))
    inner = b"}(" + first + once + b"u"
    path.write_bytes(around(inner))
    with pytest.raises(UserError, match="more numbers than the file has bytes"):
        read_soundnet(path)


@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # Python reads changed texts
def test_cut_and_changed_files_are_one_line(tmp_path):
    content, path, draw = (
        whole({"conv1": {"biases": np.ones(16, np.float32)}}),
        tmp_path / "x.npy",
        np.random.default_rng(0),
    )
    for _ in range(500):
        changed = bytearray(content)
        place = int(draw.integers(6, len(content)))
        if draw.random() < 0.5:
            del changed[place:]
        else:
            changed[place] = int(draw.integers(256))
        path.write_bytes(changed)
        with pytest.raises(UserError):
            load_weights(path)
