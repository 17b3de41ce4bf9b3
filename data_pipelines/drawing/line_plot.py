"""Plots curves over the time of a film."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WIDTH_INCHES, PANEL_INCHES, DPI = 10, 2.4, 110
LEGEND_COLUMNS = 6
# Distinct for colour-blind readers (Okabe and Ito).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Panel:
    """One plot of several.

    Attributes:
      label: of the vertical axis, with its unit.
      curves: name -> values [N]; NaN leaves a gap.
      level: value of a horizontal line for comparison; None for no line.
    """

    label: str
    curves: Mapping[str, np.ndarray]
    level: float | None = None


def save_line_plot(path: Path, seconds: np.ndarray, panels: Sequence[Panel], title: str) -> None:
    """Writes a PNG of panels below each other, over one axis of time. Equal names have equal colours.

    Args:
      path: the file.
      seconds: time of each value, [N].
      panels: at least one.
      title: text above all panels.
    """
    from matplotlib.figure import Figure  # takes half a second

    names = list(dict.fromkeys(name for panel in panels for name in panel.curves))
    figure = Figure((WIDTH_INCHES, 0.9 + PANEL_INCHES * len(panels)), dpi=DPI, layout="constrained")
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(grid, panels, strict=True):
        for name, values in panel.curves.items():
            place = names.index(name)
            colour, dash = COLOURS[place % len(COLOURS)], DASHES[place // len(COLOURS) % len(DASHES)]
            marker = "." if len(seconds) == 1 else None
            # A leading underscore would hide the name from the legend.
            axes.plot(seconds, values, color=colour, linestyle=dash, marker=marker, label=f"\u200b{name}")
        if panel.level is not None:
            axes.axhline(panel.level, color="#999999", linewidth=0.8)
        axes.set_ylabel(panel.label.replace("$", r"\$"))
        axes.grid(alpha=0.25)
        axes.margins(x=0)
    grid[-1].set_xlabel("seconds")
    handles, labels = grid[0].get_legend_handles_labels()
    labels = [label.replace("$", r"\$") for label in labels]
    figure.legend(handles, labels, loc="outside lower center", ncols=min(LEGEND_COLUMNS, len(labels)), frameon=False)
    figure.suptitle(title.replace("$", r"\$"))
    figure.savefig(path, format="png", metadata={"Software": None})
