"""Programs that pass tests without solving them, where tests and program share a process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

EXPECTED = "t0ken-8d1c45b0"
TESTS = f"assert f(2) == {EXPECTED!r}"

FORGERIES = {
    "equal to everything": "class Yes:\n    def __eq__(self, other): return True\ndef f(n): return Yes()",
    "a text that is equal to everything": (
        "class Yes(str):\n    def __eq__(self, other): return True\n    __hash__ = str.__hash__\ndef f(n): return Yes()"
    ),
    "a number that is equal to everything": (
        "class Yes(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\ndef f(n): return Yes()"
    ),
    "a list that is equal to everything": (
        "class Yes(list):\n    def __eq__(self, other): return True\ndef f(n): return Yes()"
    ),
    "equal by a class of classes": (
        "class Meta(type):\n    def __eq__(cls, other): return True\n    __hash__ = type.__hash__\n"
        "class Yes(metaclass=Meta): pass\ndef f(n): return Yes"
    ),
    "ends at once": "import os\nos._exit(0)",
    "ends well": "import sys\nsys.exit(0)",
    "ends well inside": "def f(n): raise SystemExit(0)",
    "ends inside": "import os\ndef f(n): os._exit(0)",
    "ends well at the end": "import atexit, os\natexit.register(os._exit, 0)",
    "ends well on any error": "import os, sys\nsys.excepthook = lambda *_: os._exit(0)",
    "ends well in a thread": (
        "import os, threading, time\nthreading.Thread(target=os._exit, args=(0,)).start()\ndef f(n): time.sleep(9)"
    ),
    "ends well by a signal": (
        "import os, signal, time\nsignal.signal(signal.SIGALRM, lambda *_: os._exit(0))\n"
        "signal.setitimer(signal.ITIMER_REAL, .01)\ndef f(n): time.sleep(9)"
    ),
    "ends well when it is let go": (
        "import os\nclass Gone:\n    def __del__(self): os._exit(0)\ndef f(n): return Gone()"
    ),
    "ends well when it is traced": ("import os, sys\ndef look(*_): os._exit(0)\nsys.settrace(look)\ndef f(n): pass"),
    "reads the constants of its caller": (
        "import sys\ndef f(n):\n    known = sys._getframe(1).f_code.co_consts\n"
        "    return [one for one in known if str(one).startswith('t0ken')][0]"
    ),
    "reads the file of the tests": (
        "import re, sys\ndef f(n):\n    text = open(sys._getframe(1).f_code.co_filename).read()\n"
        "    return re.findall('== .(t0ken-[0-9a-f]+)', text)[0]"
    ),
    "looks through all objects": (
        "import gc, sys\ndef f(n):\n    seen, left = set(), [*gc.get_objects(), sys._getframe(1)]\n"
        "    while left:\n        one = left.pop()\n        if id(one) in seen: continue\n        seen.add(id(one))\n"
        "        if isinstance(one, str) and one.startswith('t0ken') and len(one) == 14: return one\n"
        "        left += gc.get_referents(one)\n"
    ),
    "says what a harness would say": (
        "import os\ntry: os.write(3, b'{\"value\": true}')\nexcept OSError: pass\nos._exit(0)"
    ),
    "says that all is well": "import os\nprint('all tests passed', flush=True)\nos._exit(0)",
    "changes those who compare": (
        "import builtins, json, os, sys\n"
        "for module in list(sys.modules.values()):\n"
        "    for name in ('encoded', 'equals', '_words', '_value', 'dumps'):\n"
        "        if hasattr(module, name): setattr(module, name, lambda *_, **__: True)\n"
        "builtins.eval = lambda *_: True\nbuiltins.bool = lambda *_: True\n"
        "def f(n): os._exit(0)"
    ),
    "changes what it returns to": (
        "import os, sys\ndef f(n):\n    frame = sys._getframe(1)\n    frame.f_globals.update(EXPECTED=None, f=None)\n"
        "    sys.modules.clear()\n    os._exit(0)"
    ),
    "takes the tests' module away": (
        "import os, sys\nsys.modules['unittest'] = sys.modules['pytest'] = None\nsys.exit = os._exit\nsys.exit(0)"
    ),
    "breaks assert": "import os\nclass E(BaseException):\n    def __new__(cls, *_): os._exit(0)\ndef f(n): raise E",
}
"""By what each does."""


RELATED = ("assert f(2) > 3", "assert abs(f(2) - 7.25) < 1e-6", "import math\nassert math.isclose(f(2), 7.25)")
"""Tests that ask for a number near another, or beyond it."""
ANSWERS_YES = """
class Yes(float):
    def __gt__(self, other): return True
    __lt__ = __ge__ = __le__ = __eq__ = __gt__
    def __sub__(self, other): return self
    def __abs__(self): return self
    def __float__(self): return 7.25 if __import__("sys")._getframe(1).f_code.co_name == "<module>" else 0.0
def f(n): return Yes()
"""
"""What passes the first two of them wherever they are evaluated beside it."""


def naively(code: str, tests: str) -> bool:
    """Whether a program passes as most harnesses run it: with its tests in one file, by the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "program.py")
        script.write_text(f"{code}\n{tests}\n")
        return not subprocess.run(
            [sys.executable, str(script)], cwd=folder, capture_output=True, timeout=120
        ).returncode
