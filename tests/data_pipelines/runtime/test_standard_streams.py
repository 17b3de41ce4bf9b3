import io
import os

from data_pipelines.runtime.standard_streams import Pipe


def test_what_is_written_after_the_reader_has_ended_is_dropped():
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb", buffering=0) as raw, io.TextIOWrapper(io.BufferedWriter(Pipe(raw))) as stream:
        print("read", file=stream, flush=True)
        assert os.read(reader, 100) == b"read\n"
        os.close(reader)
        print("not read" * 100_000, file=stream, flush=True)
        assert not raw.closed and stream.fileno() == raw.fileno() and not stream.isatty()
