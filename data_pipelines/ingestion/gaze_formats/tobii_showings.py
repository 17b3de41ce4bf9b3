"""Finds what a recording of Tobii showed when, from its events and the column with the film."""

import math
from dataclasses import dataclass, field

_STARTS, _ENDS = {"videostimulusstart", "moviestart"}, {"videostimulusend", "movieend"}
_SOON_SECONDS = 1.0  # between the event and the film's first row, or rows of one showing


@dataclass
class Showing:
    """A film shown in a recording, in seconds of its clock. `by_event`: whether an event told the start."""

    media: str
    start: float
    by_event: bool
    end: float = math.inf


@dataclass
class Shown:
    """The films of one recording so far. `announced`: the time of an event whose film has no rows yet."""

    showings: list[Showing] = field(default_factory=list)
    announced: float = math.nan

    def event(self, name: str, time: float) -> None:
        now = self.showings[-1] if self.showings else None
        if name in _STARTS and now and not now.by_event and time - now.start <= _SOON_SECONDS:
            now.start, now.by_event = time, True
        elif name in _STARTS or name in _ENDS:
            self.announced = time if name in _STARTS else math.nan
            if now:
                now.end = min(now.end, time)

    def row(self, media: str, time: float, absence: float) -> None:
        """Reads a row with a film, after an `absence` in which the rows had none."""
        now = self.showings[-1] if self.showings else None
        is_again = now is not None and not now.by_event and absence > _SOON_SECONDS
        if now is None or now.media != media or not math.isnan(self.announced) or is_again:
            by_event = time - self.announced <= _SOON_SECONDS
            self.showings.append(Showing(media, self.announced if by_event else time, by_event))
            self.announced = math.nan
