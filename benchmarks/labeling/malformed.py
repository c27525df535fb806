"""The label stage against a server of whose replies 5 % are malformed and heal when asked again, and 5 % never do.

    python benchmarks/labeling/malformed.py        # 1,000 calls, 64 at once, 50 ms a reply

Half of the malformed replies hold a text without a verdict, half no text at all. Those that heal must become judgments;
those that never do must become failures of a named kind, and must not hold up the rest.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from loopback import in_a_process, label_stage, serving, write_project

CALLS, AT_ONCE = 1000, 64
KINDS = {
    "clean": {},
    "5 % heal": {"heals": 0.05},
    "5 % never do": {"never": 0.05},
    "both": {"heals": 0.05, "never": 0.05},
}


def main() -> None:
    """Prints one Markdown row a kind of server."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--client", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        print(json.dumps(label_stage(options.client)))
        return
    print("| malformed | seconds | times clean | requests | malformed replies | judged | failed |")
    print("|" + "---|" * 7)
    clean = 0.0
    for kind, shares in KINDS.items():
        with tempfile.TemporaryDirectory() as folder, serving(latency=0.05, **shares) as server:
            recipe = write_project(
                Path(folder), calls=CALLS, base_url=server.base_url, concurrency=AT_ONCE, max_failed="0.2"
            )
            client = in_a_process(__file__, "--client", str(recipe))
            counts = server.counts()
        clean = clean or client["seconds"]
        failed = client["summary"]["failed"]
        cells = [
            kind,
            f"{client['seconds']:.2f}",
            f"{client['seconds'] / clean:.2f}",
            f"{counts['requests']:,}",
            f"{counts['malformed']:,}",
            f"{client['summary']['judgments'] - sum(failed.values()):,}",
            ", ".join(f"{reason} {count}" for reason, count in failed.items()) or "none",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
