"""The label stage against a server that allows 40 requests a second, with and without ``Retry-After``.

    python benchmarks/labeling/throttled.py        # 1,000 calls, 64 at once

Each refused request costs the server a request of the caller's allowance somewhere, and each pause costs time: the best
that can be done is one request a call, and 24 s (40 at once, and 40 a second). Takes a minute.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from loopback import in_a_process, label_stage, serving, write_project

CALLS, AT_ONCE, PER_SECOND = 1000, 64, 40


def main() -> None:
    """Prints one Markdown row with ``Retry-After`` and one without."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--client", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        print(json.dumps(label_stage(options.client)))
        return
    ideal = (CALLS - PER_SECOND) / PER_SECOND
    print(f"{CALLS:,} calls, {AT_ONCE} at once, {PER_SECOND} a second allowed: at best {ideal:.0f} s.\n")
    print("| Retry-After | seconds | times the best | requests | refused | rows lost | found |")
    print("|" + "---|" * 7)
    for retry_after in (0, 1):
        with (
            tempfile.TemporaryDirectory() as folder,
            serving(latency=0.05, per_second=PER_SECOND, retry_after=retry_after) as server,
        ):
            recipe = write_project(Path(folder), calls=CALLS, base_url=server.base_url, concurrency=AT_ONCE)
            client = in_a_process(__file__, "--client", str(recipe))
            counts = server.counts()
        summary, seconds = client["summary"], client["seconds"]
        cells = [
            f"{retry_after} s" if retry_after else "none",
            f"{seconds:.1f}",
            f"{seconds / ideal:.2f}",
            f"{counts['requests']:,}",
            f"{counts['throttled']:,}",
            f"{CALLS - summary['judgments'] + sum(summary['failed'].values())}",
            ", ".join(client["found"]),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
