"""Trainings in rounds on the quickstart's policy: few prompts, short answers, judges that look at the text alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import in_process
from opinions import Opinion
from rewarding import CONSTITUTION
from solon.data.artifacts import read_jsonl
from solon.data.candidates import CandidateColumns
from solon.data.prompts import read_prompts
from solon.data.records import Checkpoint, Failed, Question, Scored
from solon.trainers.base import Judging
from solon.trainers.selfplay import SelfPlay

QUICKSTART = Path(__file__).parents[1] / "examples" / "quickstart"
POLICY = QUICKSTART / "models" / "policy"
SHORT = {
    "rounds": 2,
    "num_generations": 3,
    "max_new_tokens": 48,
    "learning_rate": 1e-3,
    "batch_size": 8,
    "gradient_accumulation": 1,
    "max_steps": 3,
}


PARTS = ("Answer:", "Confidence:", "Reasoning:")
RULES = {"kind": "rules", "rules": {part.lower().rstrip(":"): {"regex": part} for part in PARTS}}
"""Scores a text as ``parts`` does."""


def parts(text: str) -> float:
    """How many of the three parts that the quickstart asks for a text has, as a share."""
    return sum(part in text for part in PARTS) / 3


def rater(score: Callable[[str], float | None]) -> Opinion:
    """Scores a text by a function; ``None`` is no verdict."""

    def says(question: Question) -> Scored | Failed:
        found = score(question.options[0].text)
        return Failed(reason="refused", raw="I cannot") if found is None else Scored(scores=(found,))

    return Opinion(says=says, shown=1)


def comparer(score: Callable[[str], float] = parts) -> Opinion:
    """Compares two texts by a function, whatever their order."""

    def says(question: Question) -> Scored:
        first, second = (score(option.text) for option in question.options)
        share = 0.5 if first == second else float(first > second)
        return Scored(scores=(share, 1 - share))

    return Opinion(says=says)


def dataset(folder: Path, train: int = 12, test: int = 4) -> Path:
    """Prompts of the quickstart, as ``build`` writes them."""
    folder.mkdir(parents=True)
    prompts = read_prompts(str(QUICKSTART / "prompts.jsonl"), CandidateColumns()).prompts
    for side, rows in (("train", prompts[:train]), ("test", prompts[train : train + test])):
        if rows:
            table = [
                {"prompt": [message.model_dump() for message in one.messages], "topic": one.topic, "reference": None}
                for one in rows
            ]
            pq.write_table(pa.Table.from_pylist(table), folder / f"{side}.parquet")
    return folder


def play(
    labeler: object,
    data: Path,
    out: Path,
    *,
    max_failed: float = 0.05,
    max_usd: float | None = None,
    **settings: object,
) -> tuple[Checkpoint, list[dict[str, float]]]:
    """Trains in this process; what is no setting of the trainer goes to ``in_process.train``."""
    of_training = {name: settings.pop(name) for name in ("kept", "stop_at", "stop_when") if name in settings}
    trainer = SelfPlay.model_validate({"labeler": labeler, **SHORT, **settings})
    ledger = data / "ledger.sqlite"
    judging = Judging(constitution=CONSTITUTION, ledger=ledger, run="mine", max_failed=max_failed, max_usd=max_usd)
    return in_process.train(trainer, POLICY, data, out, judging=judging, **of_training)  # type: ignore[arg-type]


def hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def lines(path: Path, record: type) -> list:  # type: ignore[type-arg]
    """The records of a file."""
    return list(read_jsonl(path, record))
