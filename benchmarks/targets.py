"""Goals of the measurements on 2 CPU cores: ratios PyTorch / ours, seconds, and shares of memory."""

import dataclasses

HEAD = ["must", "aim", "met"]


@dataclasses.dataclass(frozen=True)
class Target:
    """A value that must be reached, and one to aim for. most: measured values should be at most that, not at least."""

    must: float
    aim: float
    most: bool = False

    def met(self, value: float) -> str:
        """Returns the goal that a value reaches: "aim", "must" or "no"."""
        for name in ("aim", "must"):
            goal = getattr(self, name)
            if value <= goal if self.most else value >= goal:
                return name
        return "no"


TARGETS = {
    "forward, batch 1, plain": Target(1.8, 3),
    "forward, batch 1, tuned malloc": Target(1.4, 2),
    "forward, batch 4, plain": Target(1.5, 2.1),
    "forward, batch 4, tuned malloc": Target(1.2, 1.5),
    "forward, batch 16, plain": Target(1.5, 2.1),
    "forward, batch 16, tuned malloc": Target(1.2, 1.5),
    "training step, batch 4, plain": Target(1.2, 1.5),
    "training step, batch 4, as commands": Target(1.2, 1.5),
    "training step, batch 4, tuned malloc": Target(1.2, 1.5),
    "dense prediction, plain": Target(2.0, 2.8),
    "dense prediction, as commands": Target(2.0, 2.8),
    "film to maps, as commands": Target(2.5, 4),
    "640x480, one core, a plain loop": Target(15, 40),
    "640x480, one core, PyTorch's DataLoader": Target(15, 40),
    "memory, dense prediction": Target(0.7, 0.4, most=True),
    "first map, ours, first run ever, seconds": Target(30, 12, most=True),
    "first map, ours, later runs, seconds": Target(8, 4, most=True),
}


def columns(name: str, value: float) -> list[str]:
    """Returns the cells of a table under HEAD: both goals, and which of them is met; dashes without a target."""
    target = TARGETS.get(name)
    return [f"{target.must:g}", f"{target.aim:g}", target.met(value)] if target else ["-", "-", "-"]
