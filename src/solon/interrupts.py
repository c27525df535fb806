"""How a command ends that is asked to: by Ctrl-C, by SIGTERM of a scheduler, by SIGHUP of a terminal that was closed.

Asked once it stops cleanly: what is under way is finished and recorded, a training goes back to what it kept last.
Asked again it ends now, and at the latest a few seconds later without another word: whatever is on disk by then is
as ``kill -9`` leaves it, of which nothing is lost.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from solon import loops

NOW_S = 5.0
"""Seconds after the second signal when the process is gone, whatever it is doing."""
_STOPPING = b"solon: stopping as soon as what is under way is recorded, 30 seconds at most; once more ends it now\n"
BROKEN_OFF = "calls that were broken off may be on the bill: `solon ledger show` lists them as in doubt"


class Interrupts:
    """The signals that asked this process to end.

    Attributes:
        by: the first of them; ``None`` as long as nobody asked.
        times: how many came.
    """

    def __init__(self) -> None:
        self.by: signal.Signals | None = None
        self.times = 0

    @property
    def exit_code(self) -> int:
        """What a shell says of a process that the signal ended: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + (self.by or signal.SIGINT)

    def heard(self, number: int, _frame: FrameType | None) -> None:
        """The handler of them all.

        Raises:
            KeyboardInterrupt: where no loop is at work that can be told to stop; from the second signal on also where
                one is, from the loop itself.
        """
        self.by = self.by or signal.Signals(number)
        self.times += 1
        if number == signal.SIGHUP:
            _let_go_of_the_terminal()
        if self.times == 1 and loops.stop_at_work():
            _say(_STOPPING)
            return
        if self.times == 2:
            latest = threading.Timer(NOW_S, self._gone)
            latest.daemon = True
            latest.start()
        if self.times == 1 or not loops.break_off():
            raise KeyboardInterrupt

    def _gone(self) -> None:
        _say(f"solon: ended; {BROKEN_OFF}\n".encode())
        os._exit(self.exit_code)


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """While the block runs, these signals stop its work. One that is ignored, as ``nohup`` has it, stays ignored."""
    interrupts = Interrupts()
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, interrupts.heard)
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        loops.work_again()


def end_in_own_time(*numbers: signal.Signals) -> None:
    """From now on the first of these signals ends this process once what is under way is recorded; others do nothing.

    For a process that another one of ours has started, and which that one kills when it takes too long. It may well be
    signalled twice: by a scheduler, which signals both, and by the other one.
    """

    def heard(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)  # to the very end, where Python gives its own handlers up
        if not loops.stop_at_work():
            raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, heard)


def _say(line: bytes) -> None:
    """Past Python's own buffers, which the signal may have come in the midst of."""
    with suppress(OSError):
        os.write(2, line)


def _let_go_of_the_terminal() -> None:
    """What is printed from now on goes nowhere: writing to a terminal that is gone is an error."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        try:
            os.tcgetpgrp(descriptor)
        except OSError as error:
            if error.errno == errno.EIO:  # a file or a pipe says ENOTTY
                os.dup2(nowhere, descriptor)
    os.close(nowhere)
