"""The lines of ``docs/results/reliability.md``: what is asked of solon when things go wrong, and what peers do then.

A test says with ``@pytest.mark.reliability("key")`` which line it holds, and with the fixture ``figure`` what it
measured.
``make reliability`` runs them all at full size and writes the page.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One row of the page.

    Attributes:
        part: the table that it stands in.
        what: what is done to solon.
        wanted: what has to come of it.
        peers: what was measured of other tools, with their names; empty where nothing was.
    """

    part: str
    what: str
    wanted: str
    peers: str = ""


FAULTS, LIFE, INPUT, SECRETS = "Faults", "Kills, disks and clocks", "Hostile input", "Secrets and supply chain"

LINES = {
    # faults of servers
    "faults": Line(
        FAULTS, "every fault of the server, alone", "each typed, retried or not as its kind asks, and never a label"
    ),
    "poisoned": Line(
        FAULTS,
        "5 % of 1,000 questions fail however often they are asked",
        "ends by itself within twice the clean time; those rows typed and counted, the rest labeled",
        "distilabel loses every row of a batch with such a row; Inspect never ends; DataDesigner not done after 200 s",
    ),
    "mixed": Line(
        FAULTS,
        "30 % mixed faults over 2,000 questions",
        "100 % labeled, at most 1.5 requests a judgment",
        "SDK defaults under a rate limit lose 29 to 40 % of the rows; eight tries with backoff 3 %",
    ),
    "permanent": Line(
        FAULTS,
        "key, quota or model name is wrong",
        "asked once; the stage ends within 2 s and names key, model or quota",
        "litellm with `num_retries=3` tries a 401 four times and is billed seven times for a server that hangs",
    ),
    # life and death of processes
    "kill-sample": Line(
        LIFE,
        "`kill -9` at 50 points of sampling",
        "0 recorded replies lost, 0 asked again, same bytes; calls in doubt are listed and charged",
    ),
    "kill-label": Line(
        LIFE,
        "`kill -9` at 50 points of labeling",
        "0 recorded replies lost, 0 asked again, same bytes; calls in doubt are listed and charged; "
        "asked again at most those in flight (8)",
        "calls paid again a kill: Inspect 3.6 to 6, DataDesigner 52 to 84, elsewhere 504 to all, curator 31 to all; "
        "distilabel's rerun hangs",
    ),
    "kill-batch": Line(
        LIFE, "`kill -9` at 50 points of a provider's batch, polling included", "0 requests sent again, same bytes"
    ),
    "kill-build": Line(LIFE, "`kill -9` at 50 points of building datasets", "same bytes"),
    "kill-train": Line(LIFE, "`kill -9` at 50 points of training, of its process, of solon, or of both", "same bytes"),
    "kill-evaluate": Line(LIFE, "`kill -9` at 50 points of evaluation", "0 replies asked again, same bytes"),
    "disk-full": Line(
        LIFE,
        "the disk is full, at every writer",
        "one message, nothing old lost; with room again it goes on (figure: stopped, of sizes tried)",
        "JSONL journals get a torn line",
    ),
    "signals": Line(
        LIFE,
        "SIGTERM, SIGINT once, SIGINT twice",
        "what is in flight is finished and recorded; twice: ends now; the same command goes on",
    ),
    "clock": Line(LIFE, "the clock jumps forwards and backwards", "no wait grows, nothing is lost"),
    "ledger-locked": Line(LIFE, "another process has locked the ledger", "waits, then says so; nothing is lost"),
    "ledger-schema": Line(
        LIFE,
        "a ledger of an older and of a newer schema",
        "the older is brought up to date with all it holds; the newer refused and left as it is",
    ),
    "ledger-damage": Line(
        LIFE, "a damaged ledger", "found, never rebuilt in silence; `solon ledger salvage` exports what is sound"
    ),
    "two-runs": Line(
        LIFE,
        "two runs in one run directory",
        "the second is refused at once, and names the first; the lock of a dead process is taken over",
    ),
    "shared-ledger": Line(LIFE, "two runs on one ledger", "0 requests made twice"),
    "budget": Line(
        LIFE,
        "100 runs of 2 processes with 16 calls in flight against a cap",
        "overrun 0; unused at most 0.5 %",
        "check, then spend: overrun by 2 %",
    ),
    "soak": Line(LIFE, "200,000 questions with 5 % faults", "memory and file descriptors stay flat"),
    "same-bytes": Line(
        LIFE,
        "same recipe, seed and ledger; another hash seed, locale, timezone and order of files",
        "byte-identical datasets and reports",
    ),
    # hostile input
    "injection": Line(
        INPUT,
        "200 injections, in both slots, before a judge that obeys every marker it sees",
        "steered by 0",
    ),
    "verdicts": Line(
        INPUT,
        "1,000 hostile replies of judges",
        "silently wrong: 0",
        "FastChat 340, RewardBench 336, Inspect 250, prometheus-eval 83",
    ),
    "round-trip": Line(
        INPUT,
        "every byte of what is judged, 10 MB texts included",
        "round-trips; what is too long is marked, never cut in silence",
    ),
    "yaml": Line(
        INPUT,
        "YAML: object tags, alias and merge bombs, duplicate keys, 50 MB, deep nesting",
        "refused at its place, no traceback, bounded time and memory",
        "PyYAML keeps the last of duplicate keys",
    ),
    "jsonl": Line(INPUT, "JSONL: huge lines, wrong encodings, BOM", "read, or refused by line"),
    "parquet": Line(INPUT, "Parquet: corrupted, huge groups", "refused with what to do; bounded memory"),
    "jinja": Line(INPUT, "chat templates and prompts: 8 known escapes, 100 MB of output", "8 of 8 blocked, refused"),
    "paths": Line(INPUT, "paths: traversal, absolute, symlinks, reserved names; archives", "confined, or refused"),
    "fuzz": Line(INPUT, "parsers fuzzed (hypothesis, atheris)", "0 crashes"),
    "models": Line(
        INPUT,
        "pickled weights, `trust_remote_code`, `auto_map`, code in datasets, foreign adapters",
        "never opened, never run; adapters checked for shape and base",
    ),
    "sandbox": Line(INPUT, "escapes of code that is rewarded, and passes that are forged", "all fail"),
    "plugins": Line(
        INPUT, "plugins that clash or shadow, and listing them", "listing imports nothing; no name of ours can be taken"
    ),
    "terminal": Line(INPUT, "terminal escapes in completions, names and errors", "0 reach the terminal"),
    "pages": Line(
        INPUT,
        "scripts in whatever report and viewer show; strangers who ask the viewer",
        "inert; loopback only, token and Host checked",
    ),
    # secrets and supply chain
    "canaries": Line(SECRETS, "canary keys in environment, URLs and headers; every path run", "0 in any output"),
    "modes": Line(SECRETS, "what the ledger and run directories may be read by", "0600 and 0700"),
    "pinned": Line(
        SECRETS,
        "packages of CI",
        "pinned with hashes; a new `.pth` file or an unpinned install fails",
        "litellm 1.82.7 and 1.82.8 were malicious, and one began in a `.pth` file",
    ),
    "audit": Line(SECRETS, "`make audit`", "no known vulnerability; every licence listed"),
}
