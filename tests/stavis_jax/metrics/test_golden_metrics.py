"""Every case computed by the benchmark's MATLAB code (under Octave), to the tolerance the case states."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from stavis_jax import metrics
from stavis_jax.metrics.postprocessing import blur

GOLDEN_METRICS = Path(__file__).parents[2] / "golden_metrics"
CASES = list(json.loads((GOLDEN_METRICS / "metrics.json").read_text())["cases"])
MAP_ATOL = 1e-12  # float64; the golden README's tolerance for a map
FULL_MAPS = ["p25_noise", "p29_one_axis_300x112", "p31_mixed_200x90", "p36_113x111"]


def scores_of(inputs, case):
    density, fixations = inputs[f"{case}/gt"], inputs[f"{case}/fix"]
    saliency_map = metrics.postprocess(inputs[f"{case}/pred"], density.shape)
    return {
        "CC": metrics.cc(saliency_map, density),
        "SIM": metrics.sim(saliency_map, density),
        "NSS": metrics.nss(saliency_map, fixations),
        "AUC_Judd_expected": metrics.auc_judd(saliency_map, fixations),
        "sAUC_exact": metrics.shuffled_auc(saliency_map, fixations, inputs[f"{case}/shuf_union"]),
    }


@pytest.mark.parametrize("case", CASES)
def test_case_agrees_with_the_benchmark(case, golden_values, golden_inputs):
    golden = golden_values["cases"][case]
    for metric, score in scores_of(golden_inputs, case).items():
        tolerance = golden["tolerance"][metric]
        if tolerance is None or tolerance["float64"] is None:
            continue  # rounding noise decides this value in the benchmark
        expected = golden[metric] if metric in golden else golden["derived"][metric]
        if expected is None:
            assert math.isnan(score), metric
        else:
            assert score == pytest.approx(expected, abs=tolerance["float64"], rel=0), metric


@pytest.mark.parametrize("case", CASES)
def test_sampled_benchmark_runs_scatter_around_our_shuffled_auc(case, golden_values, golden_inputs):
    golden = golden_values["cases"][case]
    if golden["tolerance"]["sAUC_exact"] is None or golden["sAUC_2000_splits"] is None:
        return
    deviation = golden["derived"]["sAUC_sd100"] / math.sqrt(20)  # 2000 splits are 20 runs of 100
    score = scores_of(golden_inputs, case)["sAUC_exact"]
    assert score == pytest.approx(golden["sAUC_2000_splits"], abs=5 * deviation + 1e-9, rel=0)


@pytest.mark.parametrize("case", FULL_MAPS)
def test_whole_map_agrees_before_and_after_the_resize(case, golden_maps, golden_inputs):
    prediction, density = golden_inputs[f"{case}/pred"].astype(float), golden_inputs[f"{case}/gt"]
    stretched = (prediction - prediction.min()) / np.ptp(prediction)
    np.testing.assert_allclose(blur(stretched), golden_maps[f"{case}/post"], rtol=0, atol=MAP_ATOL)
    resized = metrics.postprocess(golden_inputs[f"{case}/pred"], density.shape)
    np.testing.assert_allclose(resized, golden_maps[f"{case}/resized"], rtol=0, atol=MAP_ATOL)


def test_moments_and_corners_of_every_map_agree(golden_values, golden_inputs):
    for case, golden in golden_values["maps"].items():
        expected = golden["resized"]
        if "degenerate" in golden_values["cases"][case]["tags"] or expected["mean"] is None:
            continue
        resized = metrics.postprocess(golden_inputs[f"{case}/pred"], golden_inputs[f"{case}/gt"].shape)
        row, column = expected["centre4x4_from"]
        found = {
            "mean": resized.mean(),
            "std_ddof1": resized.std(ddof=1),
            "min": resized.min(),
            "max": resized.max(),
            "first4x4": resized[:4, :4],
            "last4x4": resized[-4:, -4:],
            "centre4x4": resized[row : row + 4, column : column + 4],
        }
        for name, values in found.items():
            np.testing.assert_allclose(values, expected[name], rtol=0, atol=MAP_ATOL, err_msg=f"{case} {name}")


def test_small_images_resize_as_in_matlab(golden_values):
    units = golden_values["resize_and_blur_units"]
    for case in units["resized"]:
        resized = metrics.imresize_bicubic(np.array(units["input"]), case["size"])
        expected = np.array(case["expected"]).reshape(case["size"])
        np.testing.assert_allclose(resized, expected, rtol=0, atol=MAP_ATOL, err_msg=str(case["size"]))


def test_shrinking_gives_the_row_that_matlab_documents(golden_values):
    documented = golden_values["resize_and_blur_units"]["matlab_documented"]
    resized = metrics.imresize_bicubic(np.array(documented["input"]), documented["size"])
    np.testing.assert_allclose(resized, [documented["row"]] * 2, rtol=0, atol=MAP_ATOL)


def test_blur_has_the_benchmarks_kernel_and_border(golden_values):
    units = golden_values["resize_and_blur_units"]
    blurred = blur(np.array(units["blur_input"]))
    np.testing.assert_allclose(blurred, units["blur_expected"], rtol=0, atol=MAP_ATOL)
    impulse = np.zeros((25, 25))
    impulse[12, 12] = 1
    weights = np.zeros(25)
    weights[6:19] = units["gauss13_weights"]
    np.testing.assert_allclose(blur(impulse), np.outer(weights, weights), rtol=0, atol=MAP_ATOL)
