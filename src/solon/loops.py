"""The one door through which ordinary calls wait for asynchronous work: in a script, a thread, and a notebook.

A notebook runs its cells inside an event loop, in which no other may be run. There the work gets a thread of its own,
and the cell waits for it. Ctrl-C stops the work either way: what is under way is waited for and recorded, then
``KeyboardInterrupt`` goes on. The command line hears other signals too (``solon.interrupts``), and stops the work by
``stop_at_work``.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

T = TypeVar("T")

_LOOK_UP_S = 0.5


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """What the work returns, as ``asyncio.run`` does it; also where an event loop is at work already.

    That loop stands still meanwhile: whoever writes asynchronous code asks ``solon.aio`` instead.

    Raises:
        KeyboardInterrupt: Ctrl-C, once the work has stopped.
        Stopped: the task that waits for this in another thread was cancelled (``in_thread``).
    """
    stop = _stop.get()
    if stop is not None:
        return stop.run(asyncio.run, work)
    if not _is_running():
        if _at_front.asked:
            work.close()
            raise KeyboardInterrupt
        return run_in_front(asyncio.run, work)
    done = Future[T]()
    with _at_front.stoppable() as stop, _ctrl_c_raises():
        try:
            _begin(lambda: stop.run(asyncio.run, work), done)
            _wait_for(done)
        except KeyboardInterrupt:
            stop.now()
            _wait_for(done)
            raise
    return done.result()


def run_in_front(run: Callable[[Coroutine[Any, Any, T]], T], work: Coroutine[Any, Any, T]) -> T:
    """What the work returns, by ``asyncio.run`` or the ``run`` of a runner; ``stop_at_work`` stops it.

    Raises:
        KeyboardInterrupt: it was stopped, or ended after it had been asked to.
    """
    if threading.current_thread() is not threading.main_thread():
        return run(work)
    with _at_front.stoppable() as stop:
        try:
            done = stop.run(run, work)
        except Stopped:
            raise KeyboardInterrupt from None
    if _at_front.asked:  # too late: nothing may begin after it
        raise KeyboardInterrupt
    return done


def stop_at_work() -> bool:
    """Stops the loop that the main thread runs or waits for, and keeps it from running another; whether there was one.

    Of one within another the inner one is told: the outer one ends as it raises, and not in the midst of that.
    """
    _at_front.asked = True
    if not _at_front.stops:
        return False
    _at_front.stops[-1].now()
    return True


def break_off() -> bool:
    """Ends the loop that runs in this thread by ``KeyboardInterrupt``; whether there is one.

    Raised in the midst of a task, the task might first wait for others to end.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return False
    loop.call_soon_threadsafe(_interrupted)  # threadsafe: it wakes the loop
    return True


def _interrupted() -> None:
    raise KeyboardInterrupt


def work_again() -> None:
    """The main thread may run loops again."""
    _at_front.asked = False


async def in_thread(work: Callable[[], T]) -> T:
    """What ``work`` returns, from a thread of its own, whose loops (``run_to_end``) end when this is cancelled.

    A cancelled call returns when the work has stopped, so that nothing goes on unseen.
    """
    stop = Stop()

    def stoppable() -> T:
        _stop.set(stop)
        return work()

    done = Future[T]()
    _begin(stoppable, done)
    waiting = asyncio.wrap_future(done)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        stop.now()
        await asyncio.wait([waiting])
        if not waiting.cancelled():
            waiting.exception()  # seen: it says that it was stopped
        raise


class Stopped(BaseException):
    """The work was told to stop. As ``KeyboardInterrupt``, no error that anybody catches by mistake."""


class Stop:
    """Stops the loop of one piece of work from another thread."""

    def __init__(self) -> None:
        self.asked = False
        self._lock = threading.RLock()  # a signal's handler may come in between
        self._task: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None

    def now(self) -> None:
        """Cancels what is at work, and whatever begins after it, once: from then on it may be recording."""
        with self._lock:
            if self.asked:
                return
            self.asked = True
            if self._task is not None:
                loop, task = self._task
                loop.call_soon_threadsafe(task.cancel)

    def run(self, run: Callable[[Coroutine[Any, Any, T]], T], work: Coroutine[Any, Any, T]) -> T:
        """What the work returns, which can be stopped as long as it lasts.

        Raises:
            Stopped: it was.
        """
        try:
            return run(self._holding(work))
        except asyncio.CancelledError:
            if self.asked:
                raise Stopped from None
            raise

    async def _holding(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.current_task()
        assert task is not None
        with self._lock:
            before, self._task = self.asked, (asyncio.get_running_loop(), task)
        if before:
            task.cancel()
        try:
            # in this task, not in one of its own: what the work sets in its context stays set for the runner's next
            return await work
        finally:
            with self._lock:
                self._task = None


def heed() -> None:
    """Ends what is at work here if it was told to stop: for work that has no loop, such as following a training.

    Raises:
        Stopped: it was.
    """
    stop = _stop.get()
    if stop is not None and stop.asked:
        raise Stopped


class _AtFront:
    """What the main thread runs, and what it waits for in the midst of that."""

    def __init__(self) -> None:
        self.asked = False
        self.stops: list[Stop] = []

    @contextmanager
    def stoppable(self) -> Iterator[Stop]:
        """Gives what stops the work of the block; ``stop_at_work`` does so where it is the main thread's."""
        stop, own = Stop(), threading.current_thread() is threading.main_thread()
        if own:
            self.stops.append(stop)
        try:
            yield stop
        finally:
            if own:
                self.stops.remove(stop)


_at_front = _AtFront()
_stop: ContextVar[Stop | None] = ContextVar("solon_stop", default=None)


def _is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _begin(work: Callable[[], T], done: Future[T]) -> None:
    """Starts the work in a thread of its own, which sees the context variables of this one."""
    context = copy_context()

    def body() -> None:
        try:
            result = context.run(work)
        except BaseException as error:  # noqa: BLE001 - it goes on in the thread that waits
            done.set_exception(error)
        else:
            done.set_result(result)

    threading.Thread(target=body, name="solon", daemon=True).start()


@contextmanager
def _ctrl_c_raises() -> Iterator[None]:
    """A loop may have Ctrl-C cancel its task, which a loop that stands still never does."""
    own = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if own else None
    if not callable(before):  # another thread's, or nobody's
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _wait_for(done: Future[Any]) -> None:
    """Until it has ended, however. A signal may have reached another thread, so this one looks up now and then."""
    while not done.done():
        wait([done], timeout=_LOOK_UP_S)
