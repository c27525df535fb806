"""solon's own processes in tests, without the seconds in which each would import torch.

Of what ``solon run`` takes on tiny models most goes to imports, in the command and again in each training. Here one
process imports what both do, and a fork of it does what would have been a new process of Python: it gets the
arguments, the environment, the folder and the open files of whoever asked. Modules of solon itself are not among what
is imported before, so that each process loads them as it always does.

``Preloaded`` makes a folder with a ``python`` and a ``solon``. Each asks for a fork where one would do what the real
one does, and is the real one where not: for other modules than solon's, with options of Python's, in an environment
that libraries could have read otherwise. A training that such a process starts is a fork as well.

Not for tests of the process itself: what it imports, how much memory it has. Somebody who ends such a ``python`` by
SIGKILL may find the fork alive for a moment; ``Forked`` ends the fork first.

Only with ``SOLON_FORKS=1``: else all are real ones, as in ``make test``.
"""
