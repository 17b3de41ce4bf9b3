"""Matrices as SciPy and MATLAB write them are read as SciPy reads them; files that lie are refused."""

import contextlib
import io
import struct

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from data_pipelines.raw.matlab_files import NoMatrixError, read_matrix, read_variables

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


NESTED = {
    "outer": {"clip_1": {"data": np.arange(24.0).reshape(2, 3, 4), "name": "a film"}, "empty": np.zeros((0, 0))},
    "cells": np.array([np.eye(2), "text", {"deep": np.int16([[7]])}], object),
    "rows": np.array([(1.0, "x"), (2.0, "y")], [("number", "O"), ("text", "O")]),
    "complex": np.ones((2, 2), complex),
}


@pytest.mark.parametrize("compressed", [False, True])
def test_structures_cells_and_texts_become_dicts_lists_and_strings(compressed):
    found = read_variables(saved(NESTED, do_compression=compressed))
    np.testing.assert_array_equal(found["outer"]["clip_1"]["data"], NESTED["outer"]["clip_1"]["data"])
    assert found["outer"]["clip_1"]["name"] == "a film" and found["outer"]["empty"].size == 0
    eye, text, deep = found["cells"]
    assert eye.tolist() == [[1, 0], [0, 1]] and text == "text" and deep["deep"].tolist() == [[7]]
    assert [(row["number"].item(), row["text"]) for row in found["rows"]] == [(1, "x"), (2, "y")]
    assert found["complex"] is None


def test_every_cut_of_a_file_is_read_or_refused():
    content = saved(NESTED)
    for length in range(len(content)):
        with contextlib.suppress(ValueError):
            read_variables(content[:length])


def test_every_changed_byte_is_read_or_refused():
    content, draw = saved(NESTED), np.random.default_rng(0)
    for _ in range(1000):
        changed = bytearray(content)
        changed[draw.integers(126, len(content))] = draw.integers(256)
        with contextlib.suppress(ValueError):
            read_variables(bytes(changed))


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
def test_matlab_4_is_read_as_scipy_reads_it(dtype):
    matrix = np.arange(6).reshape(2, 3).astype(dtype)
    content = saved({"before": "text", "eyeMap": matrix}, format="4")
    np.testing.assert_array_equal(read_matrix(content, "eyeMap"), matrix)
    assert read_variables(content)["before"] == "text"


def test_a_sparse_matrix_of_matlab_4_is_read():
    matrix = scipy.sparse.random(6, 9, 0.3, "coo", rng=np.random.default_rng(0))
    np.testing.assert_array_equal(read_matrix(saved({"eyeMap": matrix}, format="4"), "eyeMap"), matrix.toarray())


def test_matlab_4_cut_short_is_refused():
    content = saved({"eyeMap": np.eye(3)}, format="4")
    for length in range(1, len(content)):
        with pytest.raises(ValueError, match=r"\w"):
            read_matrix(content[:length], "eyeMap")


def saved_by_matlab_7_3() -> bytes:
    """A file as MATLAB writes it: 512 bytes of its own, axes reversed, classes as attributes, cells as references."""
    content = io.BytesIO()
    with h5py.File(content, "w", userblock_size=512) as file:

        def put(group, name: str, values: np.ndarray, kind: str):
            group.create_dataset(name, data=np.asarray(values).T).attrs["MATLAB_class"] = np.bytes_(kind)

        put(file, "eyeMap", np.uint8([[0, 1, 0], [0, 0, 1]]), "uint8")
        clip = file.create_group("outer/clip_1")
        clip.attrs["MATLAB_class"] = np.bytes_("struct")
        put(clip, "data", np.arange(24.0).reshape(2, 3, 4), "double")
        put(clip, "name", np.uint16([[ord(letter) for letter in "a film"]]), "char")
        put(file.create_group("#refs#"), "a", np.eye(2), "double")
        put(file["#refs#"], "b", np.ones((1, 2)), "double")
        cells = file.create_dataset("cells", (2, 1), h5py.ref_dtype)
        cells[:, 0] = [file["#refs#/a"].ref, file["#refs#/b"].ref]
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
        sparse = file.create_group("sparse")
        sparse.attrs["MATLAB_class"], sparse.attrs["MATLAB_sparse"] = np.bytes_("double"), np.uint64(3)
        sparse["data"], sparse["ir"], sparse["jc"] = [5.0], np.uint64([2]), np.uint64([0, 0, 1])
    return b"MATLAB 7.3 MAT-file".ljust(124) + bytes((0, 2)) + b"IM" + bytes(384) + content.getvalue()[512:]


def test_matlab_7_3_is_read():
    content = saved_by_matlab_7_3()
    assert read_matrix(content, "eyeMap").tolist() == [[0, 1, 0], [0, 0, 1]]
    found = read_variables(content)
    np.testing.assert_array_equal(found["outer"]["clip_1"]["data"], np.arange(24.0).reshape(2, 3, 4))
    assert found["outer"]["clip_1"]["name"] == "a film"
    assert [cell.tolist() for cell in found["cells"]] == [[[1, 0], [0, 1]], [[1, 1]]]
    assert found["sparse"].tolist() == [[0, 0], [0, 0], [0, 5]]


def test_hdf5_of_other_programs_keeps_its_axes():
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file["eyeMap"] = np.uint8([[0, 1, 0], [0, 0, 1]])
    assert read_matrix(content.getvalue(), "eyeMap").tolist() == [[0, 1, 0], [0, 0, 1]]


def test_cells_of_matlab_7_3_that_hold_themselves_are_refused():
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        cells = file.create_dataset("cells", (8,), h5py.ref_dtype)
        cells[:] = [cells.ref] * 8
    with pytest.raises(ValueError, match="too many structures"):
        read_variables(content.getvalue())


@pytest.mark.parametrize("length", [520, 600, 1500])
def test_matlab_7_3_cut_short_is_refused(length):
    with pytest.raises(ValueError, match="damaged"):
        read_variables(saved_by_matlab_7_3()[:length])
