"""When the pictures of a film are shown: its timestamps, made to rise where they restart, jump back or are missing."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain, pairwise
from typing import TypeVar

Item = TypeVar("Item")

RESTART_SECONDS = 1  # timestamps further back begin again; nearer ones are only out of order


def rising_times(
    timed: Iterable[tuple[Item, Fraction | None]], start_seconds: Fraction, step_seconds: Fraction
) -> Iterator[tuple[Item, Fraction]]:
    """Yields each item with its time since `start_seconds`: from 0, strictly rising.

    A timestamp counts if it rises and does not overtake the next one, as a damaged one does. Where it does not count,
    `step_seconds` pass, or half the time to the next one if that is less. Where timestamps begin again (films joined
    end to end), time goes on from there.
    """
    last, restarted = None, Fraction(0)
    for (item, time), (_, following) in pairwise(chain(timed, [(None, None)])):
        time = None if time is None else time - start_seconds - restarted
        following = None if following is None else following - start_seconds - restarted
        if last is None:
            last = Fraction(0)
            yield item, last
            continue
        in_between = following is not None and last < following
        if time is None or time <= last or (in_between and following < time):
            filled = last + (min(step_seconds, (following - last) / 2) if in_between else step_seconds)
            if time is not None and time < last - RESTART_SECONDS and not in_between:
                restarted += time - filled
            time = filled
        last = time
        yield item, last
