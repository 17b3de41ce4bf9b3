"""The child process: runs measurements one after another, and reports every figure immediately.

    python -m benchmarks.accelerator.worker '{"items": [{"item", "call", "arguments", "seconds"}, ...], "ends": time}'

`call` is MODULE:FUNCTION. The function is called with `tell`, which takes a figure, and the arguments. Every line of
standard output is JSON: {"begin": item}, {"figure": {...}}, {"skipped": item} or {"end": item}. The output of libraries
goes to standard error.
"""

import importlib
import json
import os
import sys
import time
import traceback
from typing import Any

from benchmarks.accelerator.figures import Figure, failure
from benchmarks.accelerator.subjects import Setting

ENOUGH = 0.6  # an item is skipped if less than this share of its expected seconds is left


def main(job: str) -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(**reply: Any) -> None:
        print(json.dumps(reply), file=replies, flush=True)

    def tell(figure: Figure) -> None:
        say(figure=figure)

    job = json.loads(job)
    for item in job["items"]:
        if time.time() + ENOUGH * item["seconds"] > job["ends"]:
            say(skipped=item["item"])
            continue
        say(begin=item["item"])
        try:
            module, _, function = item["call"].partition(":")
            arguments = item["arguments"]
            if "setting" in arguments:
                arguments["setting"] = Setting(**arguments["setting"])
            getattr(importlib.import_module(module), function)(tell, **arguments)
        except Exception as error:  # a package may be missing, or memory: the next measurement may work
            traceback.print_exc()
            tell(failure(item["item"], error))
        say(end=item["item"])


if __name__ == "__main__":
    main(sys.argv[1])
