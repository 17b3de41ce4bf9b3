"""Copies the sound of a film into another film, packet by packet, without decoding it."""

import contextlib
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

import av

from data_pipelines.films.decoding import packets, tick_seconds
from data_pipelines.films.sound import open_sound

MP4_CODECS = ("aac", "mp3", "ac3", "eac3", "alac", "opus")  # that players expect in an MP4 file
STEADY_SECONDS = Fraction(1, 500)  # timestamps are rounded to ticks


class CopiedSound:
    """Writes the packets of a sound at the times of the film. Use `can_copy` before."""

    def __init__(self, target: av.container.OutputContainer, path: Path, start_seconds: Fraction):
        """Adds a copy of the stream to `target`; see `SoundTrack`."""
        with open_sound(path) as (_, audio):
            self._stream = target.add_stream_from_template(audio)
        self._target, self._start_seconds = target, start_seconds
        self._packets = self._read(path)
        self._waiting = next(self._packets, None)

    def write_until(self, seconds: Fraction) -> None:
        """Writes the packets that begin before a time of the film."""
        while self._waiting is not None and _begin(self._waiting) - self._start_seconds < seconds:
            self._write_one()

    def finish(self) -> None:
        """Writes the rest of the sound."""
        while self._waiting is not None:
            self._write_one()

    def close(self) -> None:
        """Closes the file of the sound."""
        self._packets.close()

    def _write_one(self) -> None:
        packet = self._waiting
        assert packet is not None and packet.pts is not None
        shift = round(self._start_seconds / packet.time_base)
        packet.pts = packet.dts = packet.pts - shift
        packet.stream = self._stream
        self._target.mux(packet)
        self._waiting = next(self._packets, None)

    def _read(self, path: Path) -> Generator[av.Packet]:
        with open_sound(path) as (container, audio):
            early: list[av.Packet] = []
            for packet in packets(path, container, [audio]):
                if packet.pts is None or not packet.size:
                    continue
                if _begin(packet) + _duration(packet) <= self._start_seconds:
                    early = [packet]  # a decoder needs the one before the first that is heard
                    continue
                yield from early
                early = []
                yield packet


def can_copy(path: Path, start_seconds: Fraction) -> bool:
    """Returns whether the sound of a file can be copied to an MP4 film.

    It has a codec of MP4, and packets that follow one another without a gap or an overlap, to the end of the file.
    """
    with contextlib.closing(_packet_times(path)) as times:
        if not next(times):
            return False
        end = None
        for number, (begin, duration) in enumerate(times):
            if begin is None or (end is not None and abs(begin - end) > STEADY_SECONDS):
                return False
            # Only the first packet may be of unknown duration, as in Matroska files whose sound starts before 0.
            if number and not duration:
                return False
            end = begin + duration if duration else None
    return end is not None and end > start_seconds


def _packet_times(path: Path) -> Generator:
    """Yields whether the codec is one of `MP4_CODECS`, then (begin, duration) of each packet in seconds."""
    with open_sound(path) as (container, audio):
        codec = audio.codec_context.codec.canonical_name
        yield codec in MP4_CODECS and container.format.name != "mpegts"  # its AAC lacks the header that MP4 needs
        for packet in packets(path, container, [audio]):
            if packet.size:
                yield (None if packet.pts is None else _begin(packet)), _duration(packet)


def _begin(packet: av.Packet) -> Fraction:
    return (packet.pts or 0) * (packet.time_base or tick_seconds(packet.stream))


def _duration(packet: av.Packet) -> Fraction:
    return (packet.duration or 0) * (packet.time_base or tick_seconds(packet.stream))
