"""Matrices as SciPy and MATLAB write them are read as SciPy reads them; files that lie are refused."""

import io
import struct

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from data_pipelines.raw.matlab_files import NoMatrixError, read_matrix

DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "bool"]


def saved(variables: dict, **options) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, variables, **options)
    return file.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (5, 4)])
def test_a_matrix_is_read_as_scipy_reads_it(shape, dtype, compressed):
    matrix = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    content = saved({"before": np.ones(7), "eyeMap": matrix, "after": "text"}, do_compression=compressed)
    found = read_matrix(content, "eyeMap")
    np.testing.assert_array_equal(found, scipy.io.loadmat(io.BytesIO(content))["eyeMap"])
    np.testing.assert_array_equal(found, matrix)


@pytest.mark.parametrize("density", [0, 0.2, 1])
def test_a_sparse_matrix_is_read_as_scipy_reads_it(density):
    matrix = scipy.sparse.random(6, 9, density, "csc", rng=np.random.default_rng(0))
    np.testing.assert_array_equal(read_matrix(saved({"eyeMap": matrix}), "eyeMap"), matrix.toarray())


def test_the_other_byte_order_is_read_too():
    def element(kind: int, data: bytes) -> bytes:
        return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

    parts = [
        element(6, struct.pack(">II", 6, 0)),
        element(5, struct.pack(">2i", 1, 2)),
        element(1, b"eyeMap"),
        element(9, struct.pack(">2d", 0.5, 3)),
    ]
    content = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(">H", 0x0100) + b"MI" + element(14, b"".join(parts))
    assert read_matrix(content, "eyeMap").tolist() == [[0.5, 3]]
    assert scipy.io.loadmat(io.BytesIO(content))["eyeMap"].tolist() == [[0.5, 3]]


def test_a_variable_that_is_not_there_is_none():
    assert read_matrix(saved({"other": np.ones(3)}), "eyeMap") is None


@pytest.mark.parametrize("value", ["text", {"a": 1}, np.ones((2, 2), complex), np.ones((2, 2, 2)), np.zeros((0, 0))])
def test_other_things_than_a_matrix_are_told_from_damage(value):
    with pytest.raises(NoMatrixError):
        read_matrix(saved({"eyeMap": value}), "eyeMap")


def test_a_sparse_matrix_with_places_outside_of_it_is_refused():
    content = bytearray(saved({"eyeMap": scipy.sparse.csc_matrix(np.eye(3))}))
    at = content.index(struct.pack("<3i", 0, 1, 2))
    content[at : at + 4] = struct.pack("<i", 99)
    with pytest.raises(ValueError, match="outside"):
        read_matrix(bytes(content), "eyeMap")
