"""Dense prediction with networks of less depth, beside the plan's."""

from benchmarks import report
from benchmarks.paired_timing import alternate
from benchmarks.plan import MALLOCS
from benchmarks.session import Session

STRIDES = (1, 2, 4)


def measure(session: Session) -> dict[str, str]:
    plan, rows, measured = session.plan, [], []
    for depth in (plan.depth, *plan.small_depths):
        cells, peak_bytes = [], 0
        for stride in STRIDES:
            how = {"num_frames": plan.film_frames, "stride": stride, "environment": MALLOCS["as commands"].ours}
            with (
                session.start("dense:ours", network=(plan.depth, plan.size), **how) as usual,
                session.start("dense:ours", network=(depth, plan.size), **how) as other,
            ):
                pairs = alternate(usual, other, plan.rounds)
            measured.append(pairs)
            maps_per_second = plan.film_frames / pairs.our_seconds
            cells += [f"{maps_per_second:.1f}", f"{pairs.ratio:.2f}"]
            peak_bytes = max(peak_bytes, *(time.peak_bytes for time in pairs.ours))
        rows.append([str(depth), *cells, f"{peak_bytes / 2**20:.0f}"])
    head = ["depth", *(title for n in STRIDES for title in (f"stride {n}, maps/s", "times as fast")), "peak, MiB"]
    text = (
        f"Dense prediction of {plan.film_frames} frames that are in memory, with sound, as commands. Times as fast: "
        f"the median of paired ratios with depth {plan.depth}. Clips of 16x{plan.size}x{plan.size}."
    )
    return session.section("Networks of less depth", text, report.table(head, rows), pairs=measured)
