"""One target under atheris, which looks for inputs that reach new code: ``python guided.py TARGET SECONDS SEED``.

Ends with 0 and prints how often it ran the target; whatever is not a declared error ends it with another code, and the
input that did it is printed.
"""

from __future__ import annotations

import os
import sys
import time

import atheris

with atheris.instrument_imports(include=["solon", "yaml"]):
    from targets import DECLARED, TARGETS

NAME, SECONDS, SEED = sys.argv[1], float(sys.argv[2]), sys.argv[3]
BEGINNINGS = [
    b"name: x\nprinciples:\n  - {id: a, text: '&b *c'}\n",
    b'{"prompt": [{"role": "user", "content": "a"}], "chosen": "b", "rejected": "c"}\n',
    b'prompt,response\n"a\nb",c\n',
    b"## a {#b}\n```yaml\nweight: 2\n```\ntext\n## Cases\n### a\n#### Better\nx\n",
    b"train.beta=0.2\nevaluate.0.kind=kl",
    b"org/name/config@main:train[:10%]",
]
_runs = 0
_end = time.monotonic() + SECONDS


def once(data: bytes) -> None:
    """Runs the target; ends the process, well, when the time is over."""
    global _runs
    _runs += 1
    try:
        TARGETS[NAME](data)
    except DECLARED:
        pass
    except BaseException as error:
        print(f"{NAME}: {type(error).__name__}: {error}: {data!r}", flush=True)
        raise
    if time.monotonic() > _end:
        print(_runs, flush=True)
        os._exit(0)


for _beginning in BEGINNINGS:
    once(_beginning)
atheris.Setup([sys.argv[0], f"-seed={SEED}", "-max_len=4096", "-verbosity=0", "-rss_limit_mb=4096"], once)
atheris.Fuzz()
