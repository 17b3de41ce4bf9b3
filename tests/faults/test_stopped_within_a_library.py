import os
import signal

import pytest

from data_pipelines.runtime.command import command


def test_a_library_that_makes_an_error_of_its_own_of_the_request_to_stop_hides_it_not(capsys):
    @command
    def main() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            while True:  # until the signal is answered
                pass
        except BaseException:
            raise RuntimeError("a callback failed") from None

    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 143
    assert capsys.readouterr().err == "stopped: on request. Run the same command again.\n"
