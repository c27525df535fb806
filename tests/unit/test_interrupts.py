"""Signals that ask a command to end: what they do to it, and what it leaves of them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from solon.interrupts import end_in_own_time, interruptible
from solon.loops import run_to_end, work_again

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """A shell has what it starts in the background ignore Ctrl-C, tests too."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_work_ends_in_its_own_time(number: signal.Signals, capfd: pytest.CaptureFixture[str]) -> None:
    """What is paid for is recorded before the command ends, and no further loop begins."""
    ended = []

    async def work() -> None:
        os.kill(os.getpid(), number)
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            ended.append("recorded")

    async def next_stage() -> None:
        ended.append("began")

    with interruptible() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            run_to_end(work())
        with pytest.raises(KeyboardInterrupt):
            run_to_end(next_stage())
    assert ended == ["recorded"]
    assert interrupts.exit_code == SIGNALS[number]
    assert capfd.readouterr().err.count("once more ends it now") == 1


PATIENT = """
import asyncio, os, signal, sys
from solon.interrupts import interruptible
from solon.loops import run_to_end

async def patient():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        pass
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0)
    except KeyboardInterrupt:
        await asyncio.sleep(3600)  # for others that it has begun, which wait for a server that hangs

with interruptible() as interrupts:
    try:
        run_to_end(patient())
    except KeyboardInterrupt:
        sys.exit(10 + interrupts.times)
"""


def test_a_second_signal_ends_the_loop_whatever_its_tasks_wait_for() -> None:
    """Raised in a task, ``KeyboardInterrupt`` would have to wait until that task has done what it does of errors."""
    done = subprocess.run([sys.executable, "-c", PATIENT], check=False, capture_output=True, timeout=300)
    assert (done.returncode, b"solon: ended" in done.stderr) == (12, False), done.stderr


def test_work_within_work_ends_in_its_own_time_too() -> None:
    """A plugin may call solon in the midst of what solon asks it, and the loop of the main thread waits for it."""
    ended = []

    async def inner() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            ended.append("inner")

    async def outer() -> None:
        try:
            run_to_end(inner())
        finally:
            await asyncio.sleep(0)
            ended.append("outer")

    with interruptible() as interrupts, pytest.raises(KeyboardInterrupt):
        run_to_end(outer())
    assert ended == ["inner", "outer"]
    assert interrupts.times == 1


def test_a_process_that_another_one_started_is_not_disturbed_when_it_is_asked_to_end_twice() -> None:
    """A scheduler signals both, and the other one signals it again: what is paid for is recorded all the same."""
    ended = []

    async def work() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.sleep(3600)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.01)
            ended.append("recorded")

    end_in_own_time(signal.SIGTERM)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_to_end(work())
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        work_again()
    assert ended == ["recorded"]


def test_work_that_ends_as_it_is_asked_to_is_the_last() -> None:
    """The signal came too late to stop it."""

    async def work() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with interruptible(), pytest.raises(KeyboardInterrupt):
        run_to_end(work())


def test_afterwards_all_is_as_it_was() -> None:
    """The command line may be called by a program that goes on."""

    async def work() -> int:
        return 7

    with interruptible(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    assert run_to_end(work()) == 7


def test_what_nohup_ignores_stays_ignored() -> None:
    """That is what it was started for."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruptible() as interrupts:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    assert interrupts.times == 0
