"""When a film's pictures are shown and its sound is heard: timestamps that restart, jump or are missing, put right."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain, pairwise
from typing import TypeVar

Item = TypeVar("Item")

RESTART_SECONDS = 1  # pictures' timestamps further back begin again; nearer ones are only out of order
SOUND_RESTART_SECONDS = Fraction(1, 4)  # likewise; nearer ones overlap
SOUND_TOLERANCE_SECONDS = Fraction(1, 25)  # timestamps tremble, by a millisecond or by the length of a packet
LONGEST_GAP_SECONDS = 6 * 3600  # timestamps further ahead are another clock's, or wrong: time goes on without a gap


def rising_times(
    timed: Iterable[tuple[Item, Fraction | None]], start_seconds: Fraction, step_seconds: Fraction
) -> Iterator[tuple[Item, Fraction]]:
    """Yields each picture with its time since `start_seconds`: from 0, strictly rising.

    A timestamp counts if it rises and does not overtake the next one, as a damaged one does. Where it does not count,
    `step_seconds` pass, or half the time to the next one if that is less. Where timestamps begin again (films joined
    end to end), or leap ahead by more than `LONGEST_GAP_SECONDS`, time goes on from there.
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
        overtakes = time is not None and in_between and following < time
        leaps = time is not None and time > last + LONGEST_GAP_SECONDS
        if time is None or time <= last or overtakes or leaps:
            filled = last + (min(step_seconds, (following - last) / 2) if in_between else step_seconds)
            begins_again = time is not None and time < last - RESTART_SECONDS and not in_between
            if begins_again or (leaps and not overtakes):
                restarted += time - filled
            time = filled
        last = time
        yield item, last


def sound_times(
    timed: Iterable[tuple[Item, Fraction | None, Fraction]], start_seconds: Fraction
) -> Iterator[tuple[Item, Fraction]]:
    """Yields each piece of sound with the time at which it is heard, on the film's clock.

    `timed`: pieces, their timestamps and durations. A piece is heard at its timestamp if that is there and the next one
    agrees that there is a gap or an overlap; else at the end of the piece before. Where timestamps begin again, or leap
    ahead by more than `LONGEST_GAP_SECONDS`, time goes on from there. The first piece is heard at `start_seconds`, with
    the first picture, if it has no timestamp or one that leaps so.
    """
    end, restarted = None, Fraction(0)
    for piece, following in pairwise(chain(timed, [None])):
        item, timestamp, duration = piece
        seconds = None if timestamp is None else timestamp - restarted
        if end is None:
            end = start_seconds if seconds is None else seconds
            if end > start_seconds + LONGEST_GAP_SECONDS:
                restarted, end = end - start_seconds, start_seconds
        elif seconds is not None and abs(seconds - end) > SOUND_TOLERANCE_SECONDS and _agree(piece, following):
            if -SOUND_RESTART_SECONDS <= seconds - end <= LONGEST_GAP_SECONDS:
                end = seconds
            else:
                restarted += seconds - end
        yield item, end
        end += duration


def _agree(piece: tuple, following: tuple | None) -> bool:
    if following is None or following[1] is None:
        return True
    _, seconds, duration = piece
    return abs(following[1] - seconds - duration) <= SOUND_TOLERANCE_SECONDS
