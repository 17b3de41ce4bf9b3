"""The printed summary: how much of the predicted saliency each shot keeps, beside a crop in the middle."""

from collections.abc import Iterator, Sequence

from data_pipelines.drawing.contact_sheet import clock_time
from stavis_jax.reframing.plan import Plan

MOST_ROWS = 20  # of shots; the JSON files list all
HEADER = ("shot", "from", "to", "kept", "centre", "")


def summary(plan: Plan) -> Iterator[str]:
    """Yields the lines of the table of one ratio."""
    width, height = plan.size
    yield f"{plan.ratio.text}, {width}x{height} pixels: share of predicted saliency kept, beside a crop in the centre"
    rows: list[Sequence[str]] = [HEADER]
    for shot in plan.shots[:MOST_ROWS]:
        times = clock_time(shot.start_seconds), clock_time(shot.end_seconds)
        note = f"padded: {plan.background}" if shot.padded else ""
        rows.append((str(shot.number), *times, _percent(shot.kept), _percent(shot.kept_by_center), note))
    if len(plan.shots) > MOST_ROWS:
        rows.append(("...", "", "", "", "", f"{len(plan.shots) - MOST_ROWS} more in {plan.ratio.name}.json"))
    end = clock_time(plan.shots[-1].end_seconds)
    rows.append(("film", clock_time(0), end, _percent(plan.kept), _percent(plan.kept_by_center), ""))
    for shot_name, *cells, note in rows:
        yield f"  {shot_name:>5} {' '.join(f'{cell:>9}' for cell in cells)}  {note}".rstrip()


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"
