"""A local worker process: Beam's own SDK worker, quiet, and gone when its parent is."""

import ctypes
import logging
import os
import signal
import sys

DRIVER = "FED_PRETRAIN_DRIVER_PID"
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Where the system can: a killed driver leaves no worker behind."""
    driver = os.environ.get(DRIVER)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if driver is not None and os.getppid() != int(driver):
        sys.exit(1)  # It died while this process was starting.


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the driver, whose end is ours.
    die_with_parent()
    logging.disable(logging.WARNING)
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
