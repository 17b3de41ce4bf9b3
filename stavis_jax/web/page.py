"""The page: its layout, and what it shows when a film is predicted."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from data_pipelines.drawing.heat import GOOD_COLORMAPS
from data_pipelines.runtime.errors import Stopped, UserError
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.outputs.registry import file_names
from stavis_jax.web.networks import Networks, describe
from stavis_jax.web.prediction import OUTPUTS, Work, new_folder, predict_for_page, shown_in, status_line

APPEARANCE = ("colormap", "opacity", "view", "panes")  # fields of OutputOptions that the page offers
VIEWS = {"over the film": "overlay", "beside it": "side-by-side"}
PANES = {"where the sound is": "localization", "attention": "attention"}
DIRECTIONS = {"center_x_px": "x, from the left edge", "center_y_px": "y, from the top edge"}
MAX_POINTS = 1000  # of a line in a plot
UPLOADS_KEPT_SECONDS = 24 * 3600
STYLE = """
.gradio-container > .main { max-width: 1280px !important; }
#status p { margin: 0; overflow-wrap: anywhere; }
#status .error { color: var(--error-text-color); font-weight: 600; }
"""
INTRODUCTION = """# Where do people look?
Drop a film. The network predicts where people look in each frame, from picture and sound."""
HIDDEN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

log = logging.getLogger("stavis_jax")


def theme() -> gr.Theme:
    """Returns a theme with fonts of the reader's system, so that none is downloaded."""
    return gr.themes.Default(font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace"))


def build_page(networks: Networks, results: Path, work: Work, max_megabytes: int) -> gr.Blocks:
    """Returns the page.

    Args:
      networks: the networks to choose from.
      results: the folder in which each prediction gets a folder.
      work: the running prediction, for the server to end it.
      max_megabytes: size of the largest film, shown to the reader; the server enforces it.
    """
    with gr.Blocks(title="stavis_jax", analytics_enabled=False, delete_cache=(3600, UPLOADS_KEPT_SECONDS)) as page:
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                film = gr.File(label=f"Film, up to {max_megabytes} MB", height=170, elem_id="film")
                network = _network_choice(networks)
                appearance = _appearance_choice()
                with gr.Row():
                    start = gr.Button("Predict", variant="primary", min_width=80, scale=2, elem_id="predict")
                    cancel = gr.Button("Stop", min_width=80, elem_id="stop")
                status = gr.HTML(elem_id="status")
            with gr.Column(scale=3, min_width=400):
                overlay = gr.Video(label="Saliency over the film", interactive=False, height=420, elem_id="overlay")
                with gr.Column(visible=False) as shown:
                    plots = _plots()
                    with gr.Row():
                        names = ("overlay-file", "track-file", "maps-file")
                        files = [gr.DownloadButton(size="sm", elem_id=name) for name in names]
        film.change(lambda: "", None, status, **HIDDEN)
        start.click(lambda: status_line("Predicting"), None, status, **HIDDEN).then(
            _predictor(networks, results, work),
            [film, *network, *appearance],
            [status, overlay, shown, *plots, *files],
            show_progress_on=[overlay],
            concurrency_limit=1,
            api_visibility="private",
        )
        cancel.click(work.stop.set, queue=False, api_visibility="private")
    return page.queue(max_size=16)


def _predictor(networks: Networks, results: Path, work: Work) -> Callable[..., list[Any]]:
    """Returns the function behind the button *Predict*.

    The function takes a film, a checkpoint, a variant and the fields `APPEARANCE`. It returns the status line, the
    overlay, whether results are visible, the data of two plots, and the three files.
    """

    def predict(film, checkpoint, variant, *appearance, progress=gr.Progress()) -> list[Any]:  # noqa: B008, Gradio's way
        if not film:
            return _nothing("No film yet. Drop one first.")
        film = Path(film)
        try:
            with work.running:
                work.stop.clear()
                model, folder = networks.load(checkpoint, variant), new_folder(results, film.stem)
                options = OutputOptions(**dict(zip(APPEARANCE, appearance, strict=True)))
                num_frames = predict_for_page(film, folder, model, options, shown_in(progress, work.stop))
        except (UserError, Stopped) as error:
            return _nothing(str(error).replace(str(film), film.name))
        except Exception:  # a bug: the page continues, and the terminal shows it
            log.exception("%s: predicting failed.", film.name)
            return _nothing("An unexpected error occurred. The terminal of the page shows the details.")
        overlay, track, maps = (folder / name for name in file_names(OUTPUTS))
        status = status_line(f"{film.name}: {num_frames} frames, predicted by {variant} of {checkpoint}.")
        files = [gr.update(value=str(path), label=f"Download {path.name}") for path in (overlay, track, maps)]
        return [status, str(overlay), gr.update(visible=True), *_plotted(track), *files]

    return predict


def _nothing(message: str) -> list[Any]:
    """Returns a message in place of results."""
    return [status_line(message, "error"), None, gr.update(visible=False), *[None] * 5]


def _plotted(track: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns the data of the plots of the centre and of the entropy, from track.csv."""
    rows = pd.read_csv(track)[["seconds", *DIRECTIONS, "entropy_bits"]]
    rows = rows.iloc[:: -(-len(rows) // MAX_POINTS)]
    return rows.rename(columns=DIRECTIONS).melt("seconds", list(DIRECTIONS.values()), "direction", "px"), rows


def _network_choice(networks: Networks) -> list[gr.Dropdown]:
    def variants(checkpoint: str) -> dict[str, Any]:
        names = networks.variants[checkpoint]
        return {"choices": [(describe(name), name) for name in names], "value": names[0]}

    checkpoints = list(networks.variants)
    checkpoint = gr.Dropdown(checkpoints, value=checkpoints[0], label="Checkpoint", elem_id="checkpoint")
    variant = gr.Dropdown(**variants(checkpoints[0]), label="Variant", elem_id="variant")
    checkpoint.change(lambda name: gr.update(**variants(name)), checkpoint, variant, api_visibility="private")
    return [checkpoint, variant]


def _appearance_choice() -> list[gr.components.Component]:
    """Returns the inputs of `APPEARANCE`, in its order."""
    default = OutputOptions()
    with gr.Group():
        return [
            gr.Dropdown(GOOD_COLORMAPS, value=default.colormap, label="Colours", elem_id="colormap"),
            gr.Slider(0, 1, value=default.opacity, step=0.05, label="Largest opacity", elem_id="opacity"),
            gr.Radio(list(VIEWS.items()), value=default.view, label="Saliency", elem_id="view"),
            gr.CheckboxGroup(list(PANES.items()), value=["localization"], label="More panes", elem_id="panes"),
        ]


def _plots() -> list[gr.LinePlot]:
    """Returns the plots of the gaze track: centre and entropy."""
    place: dict[str, Any] = {
        "y": "px",
        "color": "direction",
        "color_title": " ",
        "title": "Centre of the saliency, pixels of the film",
    }
    entropy: dict[str, Any] = {"y": "entropy_bits", "title": "Entropy of the saliency, bits"}
    return [
        gr.LinePlot(x="seconds", y_title=" ", height=220, elem_id="gaze", **place),
        gr.LinePlot(x="seconds", y_title=" ", height=160, elem_id="entropy", **entropy),
    ]
