import json

import pytest

from stavis_jax.checking.shards import check_shards, is_shards

FRAMES = "saliency_frames-frames.array_record-00001-of-00003"
ANNOTATIONS = "annotations/native_annotations-frames.array_record-00001-of-00003"


def test_good_shards_are_counted(good_files):
    (finding,) = check_shards(good_files.shards)
    assert finding.line == f"ok: {good_files.shards}: shards of 3 films, 54 frames of 32 pixels, with annotations"


@pytest.mark.parametrize("name", [FRAMES, ANNOTATIONS])
def test_damage_to_a_film_names_its_file_and_no_other(name, damage, copied):
    folder = copied("shards")
    damage(folder / name)
    (finding,) = check_shards(folder)
    assert finding.state == "damaged"
    assert finding.path == folder / name
    assert finding.text.startswith("film Mine/two: ")
    assert finding.text.endswith("Prepare the shards again.")


@pytest.mark.parametrize(
    "name",
    [
        "metadata.json",
        "dataset_info.json",
        "features.json",
        "annotations/dataset_info.json",
        "annotations/features.json",
    ],
)
def test_damage_to_a_description_names_it(name, damage, copied):
    folder = copied("shards")
    if damage.__name__ == "flip_bit":
        (folder / name).write_bytes((folder / name).read_bytes().replace(b'":', b'"\x1a', 1))
    else:
        damage(folder / name)
    assert is_shards(folder)
    (finding,) = check_shards(folder)
    assert finding.state == "damaged" and "again" in finding.text


def test_a_film_with_another_sound_is_told(copied):
    folder = copied("shards")
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata["films"][2]["num_samples"] //= 2
    (folder / "metadata.json").write_text(json.dumps(metadata))
    (finding,) = check_shards(folder)
    assert "film Mine/three" in finding.text and "the sound has another length" in finding.text
