"""The page: what it asks for and what it shows. Served by page_server.py."""

import contextvars
import html
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from data_pipelines.runtime.errors import Stopped, UserError
from stavis_jax.maps.overlays import GOOD_COLORMAPS
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.prediction.api import Advance
from stavis_jax.web.networks import Networks, describe
from stavis_jax.web.page_prediction import TRACK, predict_for_page

VIEWS = {"over the film": "overlay", "beside it": "side-by-side"}
PANES = {"where the sound is": "localization", "attention": "attention"}
LOOK = ("colormap", "opacity", "view", "panes")  # of OutputOptions
DIRECTIONS = {"center_x_px": "x, from the left edge", "center_y_px": "y, from the top edge"}
MOST_POINTS = 1000  # of a line
UPLOADS_KEPT_SECONDS = 24 * 3600
STYLE = """
.gradio-container > .main { max-width: 1280px !important; }
#status p { margin: 0; overflow-wrap: anywhere; }
#status .error { color: var(--error-text-color); font-weight: 600; }
"""
INTRODUCTION = """# Where do people look?
Drop a film: the network predicts, frame by frame, where people look, given its picture and its sound."""

log = logging.getLogger("stavis_jax")


class Work:
    """The prediction that runs. `running` is held meanwhile; once `stop` is set it ends after its next frame."""

    def __init__(self):
        self.running, self.stop = threading.Lock(), threading.Event()

    def end(self, within_seconds: float) -> None:
        """Ends it for good: none can begin afterwards."""
        self.stop.set()
        self.running.acquire(timeout=within_seconds)


def theme() -> gr.Theme:
    """Fonts of the reader's system: none is fetched."""
    return gr.themes.Default(font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace"))


def build_page(networks: Networks, results: Path, work: Work, max_megabytes: int) -> gr.Blocks:
    """Lays the page out.

    Args:
      networks: what can be chosen.
      results: the folder that a folder for each prediction is made in.
      work: for the server to end it.
      max_megabytes: said to the reader; the server sees to it.
    """
    with gr.Blocks(title="stavis_jax", analytics_enabled=False, delete_cache=(3600, UPLOADS_KEPT_SECONDS)) as page:
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                film = gr.File(label=f"Film, up to {max_megabytes} MB", height=170, elem_id="film")
                network = _network_choice(networks)
                look = _look_choice()
                with gr.Row():
                    start = gr.Button("Predict", variant="primary", min_width=80, scale=2, elem_id="predict")
                    cancel = gr.Button("Stop", min_width=80, elem_id="stop")
                status = gr.HTML(elem_id="status")
            with gr.Column(scale=3, min_width=400):
                overlay = gr.Video(label="Saliency over the film", interactive=False, height=420, elem_id="overlay")
                with gr.Column(visible=False) as shown:
                    plots = _plots()
                    with gr.Row():
                        files = [
                            gr.DownloadButton(size="sm", elem_id=name)
                            for name in ("overlay-file", "track-file", "maps-file")
                        ]
        film.change(lambda: "", None, status, show_progress="hidden", api_visibility="private")
        results_shown = [status, overlay, shown, *plots, *files]
        start.click(lambda: _line("Predicting"), None, status, show_progress="hidden", api_visibility="private").then(
            _predictor(networks, results, work),
            [film, *network, *look],
            results_shown,
            show_progress_on=[overlay],
            concurrency_limit=1,
            api_visibility="private",
        )
        cancel.click(work.stop.set, queue=False, api_visibility="private")
    return page.queue(max_size=16)


def _network_choice(networks: Networks) -> list[gr.Dropdown]:
    def variants(checkpoint: str) -> dict[str, Any]:
        names = networks.variants[checkpoint]
        return {"choices": [(describe(name), name) for name in names], "value": names[0]}

    checkpoints = list(networks.variants)
    checkpoint = gr.Dropdown(checkpoints, value=checkpoints[0], label="Checkpoint", elem_id="checkpoint")
    variant = gr.Dropdown(**variants(checkpoints[0]), label="Variant", elem_id="variant")
    checkpoint.change(lambda name: gr.update(**variants(name)), checkpoint, variant, api_visibility="private")
    return [checkpoint, variant]


def _look_choice() -> list[gr.components.Component]:
    """What is asked of `LOOK`, in its order."""
    first = OutputOptions()
    with gr.Group():
        return [
            gr.Dropdown(GOOD_COLORMAPS, value=first.colormap, label="Colours", elem_id="colormap"),
            gr.Slider(0, 1, value=first.opacity, step=0.05, label="Opacity, at most", elem_id="opacity"),
            gr.Radio(list(VIEWS.items()), value=first.view, label="Saliency", elem_id="view"),
            gr.CheckboxGroup(list(PANES.items()), value=["localization"], label="More panes", elem_id="panes"),
        ]


def _plots() -> list[gr.LinePlot]:
    """Of the gaze track: place, entropy."""
    place = {"y": "px", "color": "direction", "color_title": " ", "title": "Centre of the saliency, pixels of the film"}
    entropy = {"y": "entropy_bits", "title": "Its entropy, bits"}
    return [
        gr.LinePlot(x="seconds", y_title=" ", height=220, elem_id="gaze", **place),
        gr.LinePlot(x="seconds", y_title=" ", height=160, elem_id="entropy", **entropy),
    ]


def _lines(track: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the plots show of a track's file."""
    rows = pd.read_csv(track)[list(TRACK)]
    rows = rows.iloc[:: -(-len(rows) // MOST_POINTS)]
    return rows.rename(columns=DIRECTIONS).melt("seconds", list(DIRECTIONS.values()), "direction", "px"), rows


def _predictor(networks: Networks, results: Path, work: Work) -> Callable[..., list[Any]]:
    """What the button does: choices -> what is shown of status, overlay, the rest at all, plots and files."""

    def predict(film, checkpoint, variant, *look, progress=gr.Progress()) -> list[Any]:  # noqa: B008, Gradio's way
        if not film:
            return _nothing("No film yet. Drop one first.")
        film = Path(film)
        try:
            with work.running:
                work.stop.clear()
                model = networks.load(checkpoint, variant)
                folder, options = _new_folder(results, film.stem), OutputOptions(**dict(zip(LOOK, look, strict=True)))
                found = predict_for_page(film, folder, model, options, _reported(progress, work.stop))
        except (UserError, Stopped) as error:
            return _nothing(str(error).replace(str(film), film.name))
        except Exception:  # a fault of ours: the page stays up, and who started it is told
            log.exception("%s: predicting failed.", film.name)
            return _nothing("Something went wrong that should not have. The page's terminal says what.")
        status = _line(f"{film.name}: {found.num_frames} frames, by {variant} of checkpoint {checkpoint}.")
        files = [
            gr.update(value=str(path), label=f"Download {path.name}")
            for path in (found.overlay, found.track, found.maps)
        ]
        return [status, str(found.overlay), gr.update(visible=True), *_lines(found.track), *files]

    return predict


def _reported(progress: Callable[..., object], stop: threading.Event) -> Callable[[int | None], Advance]:
    """Shows how far a prediction is, from whatever thread tells it, and ends it when told to."""
    here = contextvars.copy_context()  # Gradio knows by it whose progress it is

    def start(total: int | None) -> Advance:
        done = 0

        def advance(num_frames: int) -> None:
            nonlocal done
            if stop.is_set():
                raise Stopped("Stopped.")
            done += num_frames
            here.copy().run(progress, (done, total), desc="Predicting", unit="frames")

        advance(0)
        return advance

    return start


def _nothing(message: str) -> list[Any]:
    """Shows a line in place of results."""
    return [_line(message, "error"), None, gr.update(visible=False), *[None] * 5]


def _line(message: str, kind: str = "done") -> str:
    """HTML; a film may be named anything."""
    return f'<p class="{kind}" role="status">{html.escape(" ".join(message.split()))}</p>'


def _new_folder(results: Path, name: str) -> Path:
    name = name.strip(".") or "film"
    folder, number = results / name, 1
    while folder.exists():
        number += 1
        folder = results / f"{name}-{number}"
    return folder
