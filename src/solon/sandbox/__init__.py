"""Runs what cannot be trusted in a process that can do nothing but compute.

``pool`` is what the rest of solon uses: ``await pool.run(Job(...))``. A worker process (``worker``) isolates itself
(``inside``), proves that it holds, and forks one child for each job, which runs a program (``programs``) under limits.
``inside`` and ``programs`` run in that process, which sees nothing but the standard library: they import nothing else.
"""
