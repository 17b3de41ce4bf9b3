"""Corrects timestamps of pictures and sound that restart, jump or are missing."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain, pairwise
from typing import Any, TypeVar

Item = TypeVar("Item")

RESTART_SECONDS = 1  # a timestamp of a picture that goes back further is a restart; others are out of order
SOUND_RESTART_SECONDS = Fraction(1, 4)  # the same for sound; others overlap
SOUND_TOLERANCE_SECONDS = Fraction(1, 25)  # timestamps jitter by up to a packet
LONGEST_GAP_SECONDS = 6 * 3600  # a timestamp that leaps further belongs to another clock, or is wrong


def rising_times(
    timed: Iterable[tuple[Item, Fraction | None]], start_seconds: Fraction, step_seconds: Fraction
) -> Iterator[tuple[Item, Fraction]]:
    """Yields each picture with its time since `start_seconds`. Times start at 0 and rise strictly.

    A timestamp is used if it rises and does not overtake the next one, as a damaged one does. Otherwise `step_seconds`
    pass, or half the time to the next timestamp if that is less. Where timestamps restart, as in films joined end to
    end, or leap ahead by more than `LONGEST_GAP_SECONDS`, time continues without a gap.

    Args:
      timed: pictures and their timestamps in seconds, None where a timestamp is missing.
      start_seconds: timestamp of the first picture.
      step_seconds: time between pictures at the nominal frame rate.
    """
    last, restarted = None, Fraction(0)
    pictures: Iterable[tuple[Any, Fraction | None]] = chain(timed, [(None, None)])
    for (item, time), (_, following) in pairwise(pictures):
        time = None if time is None else time - start_seconds - restarted
        following = None if following is None else following - start_seconds - restarted
        if last is None:
            last = Fraction(0)
            yield item, last
            continue
        room = None if following is None or following <= last else following - last
        overtakes = time is not None and room is not None and time - last > room
        leaps = time is not None and time > last + LONGEST_GAP_SECONDS
        if time is None or time <= last or overtakes or leaps:
            filled = last + (step_seconds if room is None else min(step_seconds, room / 2))
            if time is not None:
                begins_again = time < last - RESTART_SECONDS and room is None
                if begins_again or (leaps and not overtakes):
                    restarted += time - filled
            time = filled
        last = time
        yield item, last


def sound_times(
    timed: Iterable[tuple[Item, Fraction | None, Fraction]], start_seconds: Fraction
) -> Iterator[tuple[Item, Fraction]]:
    """Yields each piece of sound with the time at which it is heard, on the film's clock.

    A piece is heard at its timestamp if the timestamp of the next piece confirms the gap or the overlap. Otherwise it
    is heard at the end of the piece before. Where timestamps restart, or leap ahead by more than `LONGEST_GAP_SECONDS`,
    sound continues without a gap. The first piece is heard at `start_seconds` if it has no timestamp or one that leaps.

    Args:
      timed: pieces of sound, their timestamps in seconds, None where missing, and their durations in seconds.
      start_seconds: timestamp of the first picture.
    """
    end, restarted = None, Fraction(0)
    pieces: Iterable[Any] = chain(timed, [None])
    for piece, following in pairwise(pieces):
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
    """Returns whether the next timestamp, if there is one, is at the end of the piece."""
    if following is None or following[1] is None:
        return True
    _, seconds, duration = piece
    return abs(following[1] - seconds - duration) <= SOUND_TOLERANCE_SECONDS
