"""Reads the heartbeat files of the other hosts of a run."""

import dataclasses
from pathlib import Path

from stavis_jax.watch import beats
from stavis_jax.watch.beats import Beat
from stavis_jax.watch.ending import LOST_CODE, Ending

HOW_TO_GO_ON = "The last checkpoint is kept: run the same command on all hosts again."
GRACE_SECONDS = 6.0  # most errors happen on all hosts at once, and each shall report its own


class Peer:
    """Another host. Its clock does not matter: it is silent for as long as its file does not change."""

    def __init__(self, path: Path, host: int):
        self.path, self.host = path, host
        self._before = self._content = self._read()  # perhaps of an earlier run
        self.beat: Beat | None = None  # the latest one of this run
        self.silent = 0.0  # seconds

    def look(self, elapsed: float) -> None:
        """Reads the file, `elapsed` seconds after the last time."""
        content = self._read()
        beat = beats.parse(content)
        if content == self._content or content == self._before or beat is None:
            self.silent += elapsed
            return
        self._content, self.beat, self.silent = content, beat, 0.0

    @property
    def state(self) -> str:
        return self.beat.state if self.beat else beats.RUNNING

    def describe(self) -> str:
        """Returns "host 1 (machine, process 1234)"."""
        return f"host {self.host}" + (f" ({self.beat.name}, process {self.beat.process})" if self.beat else "")

    def _read(self) -> bytes:
        try:
            return beats.read_content(self.path)
        except OSError:
            return b""


class Peers:
    """All other hosts of a run."""

    def __init__(self, folder: Path, host: int, hosts: int):
        self._folder, self._host = folder, host
        self.peers = [Peer(folder / f"{other}.json", other) for other in range(hosts) if other != host]

    def look(self, elapsed: float) -> None:
        for peer in self.peers:
            peer.look(elapsed)

    def ending(self, idle: float, limit: float, interval: float) -> Ending | None:
        """Returns how this host ends because of the others; None if it goes on.

        Args:
          idle: seconds since this host itself got on. While it does, nobody is missed.
          limit: seconds after which a silent host counts as lost.
          interval: seconds between two looks.
        """
        watched = [peer for peer in self.peers if peer.state != beats.FINISHED]
        silent = [peer for peer in watched if min(peer.silent, idle) + 2 * interval >= limit]
        for peer in watched:
            over = peer.state in (beats.FAILED, beats.INTERRUPTED, beats.LOST)
            if over and min(peer.silent, idle) >= min(GRACE_SECONDS, limit / 4):
                assert peer.beat, "its state is known"
                ending = Ending(peer.state, f"{peer.describe()} has ended: {peer.beat.message}", peer.beat.code)
                return self._told_by_first(ending, gone=[peer])
        if not silent:
            return None
        return self._told_by_first(Ending(beats.LOST, self._missing(silent, limit), LOST_CODE), gone=silent)

    def _missing(self, silent: list[Peer], limit: float) -> str:
        if all(peer.beat is None for peer in silent):
            files = ", ".join(str(peer.path) for peer in silent)
            names = " and ".join(peer.describe() for peer in silent)
            return f"{files}: {names} has not appeared for {limit:g} s. Give all hosts one --workdir that all can see."
        names = " and ".join(peer.describe() for peer in silent)
        return f"{names} has given no sign of life for {limit:g} s. {HOW_TO_GO_ON}"

    def _told_by_first(self, ending: Ending, gone: list[Peer]) -> Ending:
        left = {self._host, *(peer.host for peer in self.peers)} - {peer.host for peer in gone}
        return dataclasses.replace(ending, is_told_here=self._host == min(left))
