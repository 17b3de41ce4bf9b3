import numpy as np

from stavis_jax.cuts.cut import TimedMap
from stavis_jax.cuts.kept_maps import kept_maps
from stavis_jax.maps.pictures import saliency_picture


def test_maps_pass_unchanged_and_come_back_as_they_are_drawn(tmp_path):
    maps = [TimedMap(number / 25, map_) for number, map_ in enumerate(np.random.default_rng(0).random((5, 8, 8)))]
    with kept_maps(tmp_path) as kept:
        assert list(kept) == []
        passed = list(kept.watch(iter(maps)))
        assert all(one is other for one, other in zip(passed, maps, strict=True))
        assert list(tmp_path.iterdir()) == []  # a kill leaves nothing
        for _ in range(2):
            for found, given in zip(kept, maps, strict=True):
                np.testing.assert_array_equal(found, saliency_picture(given.saliency))
