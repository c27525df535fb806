"""One entry in a process of its own: ``python -m solon.comparison.worker assignment.json``, beside those of others."""

from __future__ import annotations

import signal
import sys
import traceback
from pathlib import Path

from solon.comparison.processes import Assignment
from solon.data.artifacts import write_json
from solon.document import Document
from solon.errors import Interrupted
from solon.interrupts import end_in_own_time
from solon.keys import without_secrets
from solon.parent import end_with_parent
from solon.pipeline import run
from solon.plugins.sending import receive
from solon.progress import Terminal
from solon.recipe import Opened, validated
from solon.trainers.protocol import Trouble


def main(file: Path) -> int:
    """Does the assignment; 0 when the entry got to its end."""
    # SIGINT is what who started us sends, and is ignored in what a shell starts in the background
    end_in_own_time(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    end_with_parent()
    told = Assignment.model_validate_json(file.read_bytes())
    receive(told.plugins)
    try:
        recipe = validated(Document(str(told.path), told.data), told.path)
        run(Opened(recipe, told.path, told.data, entry=told.entry), told.run_dir, progress=Terminal())
    except KeyboardInterrupt:
        return Interrupted.exit_code
    except Exception as error:  # noqa: BLE001 - the boundary: whatever happened goes to the process that waits
        sys.stderr.write(without_secrets(traceback.format_exc()))
        write_json(told.trouble, Trouble.of(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
