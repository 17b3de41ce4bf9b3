"""Draws from a seed the faults that disturb a training, their moments, and the layouts in which it goes on."""

import dataclasses
import enum
import itertools
import random
from collections.abc import Sequence

MOST_STEPS = 2  # that a process does before it is disturbed
LONGEST_DELAY_S = 0.3  # after the checkpoint of the last of these steps


@dataclasses.dataclass(frozen=True)
class Layout:
    """The processes of a training, with `devices` each."""

    processes: int
    devices: int

    def __str__(self) -> str:
        return f"{self.processes} x {self.devices}"

    @property
    def all_devices(self) -> int:
        return self.processes * self.devices


class Fault(enum.StrEnum):
    KILL_ONE = "kill -9 of one process of two"
    KILL_ALL = "kill -9"
    STOP_ONE = "SIGSTOP of one process of two"
    TERMINATE = "SIGTERM"
    FULL_DISK = "full disk"
    STARVE = "starvation"


NEED_TWO = (Fault.KILL_ONE, Fault.STOP_ONE)
LAYOUTS = (Layout(1, 8), Layout(1, 4), Layout(2, 4), Layout(2, 2))


@dataclasses.dataclass(frozen=True)
class Event:
    """A fault, and the layout of the training that it disturbs.

    Attributes:
      victim: the process that a fault of one process disturbs.
      steps, delay: it happens so many seconds after the checkpoint of this step, counted from where the processes
        started or, after a starvation, went on.
    """

    layout: Layout
    fault: Fault
    victim: int
    steps: int
    delay: float


@dataclasses.dataclass(frozen=True)
class Plan:
    """Events in their order, and the layout in which the training ends."""

    events: Sequence[Event]
    last_layout: Layout

    @property
    def layouts(self) -> list[Layout]:
        """The layouts of all starts, in their order. A starved training goes on and is not started again."""
        ended = [event.layout for event in self.events if event.fault is not Fault.STARVE]
        return [*ended, self.last_layout]

    def covers(self, layouts: Sequence[Layout]) -> bool:
        """Returns whether every fault and layout occurs, and so do 8, 4, 8 devices and 2, 1, 2 processes if they can.

        The numbers need not follow each other at once.
        """
        starts = self.layouts
        devices, processes = [of.all_devices for of in starts], [of.processes for of in starts]
        resized = len(layouts) == 1 or (occurs_in([8, 4, 8], devices) and occurs_in([2, 1, 2], processes))
        return {event.fault for event in self.events} == set(Fault) and set(starts) == set(layouts) and resized


def draw(seed: int, count: int, layouts: Sequence[Layout] = LAYOUTS) -> Plan:
    """Draws a plan of `count` events that covers everything. The same seed gives the same plan."""
    moments = random.Random(seed)
    for _ in range(1000):
        plan = _draw(moments, count, layouts)
        if plan.covers(layouts):
            return plan
    raise ValueError(f"{count} events cannot cover everything")


def occurs_in(part: Sequence[int], whole: Sequence[int]) -> bool:
    """Returns whether the numbers of `part` occur in this order."""
    rest = iter(whole)
    return all(number in rest for number in part)


def _draw(moments: random.Random, count: int, layouts: Sequence[Layout]) -> Plan:
    faults = [*itertools.islice(itertools.cycle(Fault), count)]
    moments.shuffle(faults)
    layout = last_layout = moments.choice(layouts)
    events: list[Event] = []
    for fault in reversed(faults):  # a starved training keeps its layout, so the next event decides on it
        if fault is not Fault.STARVE:
            layout = moments.choice([of for of in layouts if of.processes == 2 or fault not in NEED_TWO])
        victim, steps = moments.randrange(layout.processes), moments.randint(1, MOST_STEPS)
        events.append(Event(layout, fault, victim, steps, moments.uniform(0, LONGEST_DELAY_S)))
    return Plan(events[::-1], last_layout)
