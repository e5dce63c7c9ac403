"""The evaluator process, begun before anybody asks: it must not take the processor from a training that is watched.

Importing PyTorch keeps a core busy for seconds. A thread of low priority does it; the main thread, which answers
later, keeps its own.
"""

import os
import sys
import threading

PATIENT = 15
"""Niceness of the thread that imports; the highest is 19."""


def _import() -> None:
    # Linux alone has a priority for each thread; elsewhere it would be the whole process's, for good.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), PATIENT)
    from prunescope.engine.evaluation import service  # noqa: F401


if __name__ == "__main__":
    importing = threading.Thread(target=_import)
    importing.start()
    importing.join()
    from prunescope.engine.evaluation.service import main

    main()
