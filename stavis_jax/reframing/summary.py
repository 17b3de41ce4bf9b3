"""The printed table of a reframed film: how much of the predicted saliency each shot keeps."""

from data_pipelines.drawing.contact_sheet import clock_time
from stavis_jax.reframing.plan import Plan
from stavis_jax.reports.tables import Cell, Column, Row, Table

MOST_ROWS = 20  # of shots; the JSON files list all
COLUMNS = (
    Column("from", is_text=True),
    Column("to", is_text=True),
    Column("kept", ".1%"),
    Column("centre crop", ".1%"),
    Column("padding", is_text=True),
)


def summary_table(plan: Plan) -> Table:
    """Returns a row for each shot and one for the film, with what a crop in the centre would keep beside."""
    rows = []
    for shot in plan.shots[:MOST_ROWS]:
        span = shot.start_seconds, shot.end_seconds
        padding = plan.background if shot.padded else ""
        rows.append(_row(str(shot.number), span, (shot.kept, shot.kept_by_center), padding))
    rows.append(_row("film", (0.0, plan.shots[-1].end_seconds), (plan.kept, plan.kept_by_center)))
    notes = []
    if len(plan.shots) > MOST_ROWS:
        notes.append(f"{len(plan.shots) - MOST_ROWS} more shots are in {plan.ratio.name}.json.")
    width, height = plan.size
    title = f"{plan.ratio.text}, {width}x{height} pixels: share of saliency kept"
    return Table(title, COLUMNS, tuple(rows), tuple(notes), heading="shot", marks_best=False)


def _row(name: str, span: tuple[float, float], shares: tuple[float, float], padding: str = "") -> Row:
    return Row(name, (*(Cell(clock_time(seconds)) for seconds in span), *map(Cell, shares), Cell(padding)))
