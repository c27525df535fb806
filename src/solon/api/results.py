"""A run directory as an object: what each stage left, read when it is asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from solon.api.datasets import RECORD_OF, InFiles
from solon.api.metrics import Costs, Metrics
from solon.api.recorded import Records
from solon.api.reports import Report, known_formats
from solon.data.kinds import SIDES
from solon.data.records import (
    Candidates,
    Checkpoint,
    Constitution,
    Demonstration,
    Judgment,
    Preference,
    Rating,
    Task,
)
from solon.data.tasks import PROMPTS
from solon.errors import DataError, Problem
from solon.progress import Silent
from solon.report.facts import costs, data_facts
from solon.report.headline import headline
from solon.report.summary import Summary, summarise
from solon.report.write import Format, page_of
from solon.stages.report import report_on

if TYPE_CHECKING:
    from solon.interchange.converting import Converted
    from solon.interchange.pushing import Pushed, What


class Run:
    """What a run has left in its directory. Whatever is asked for is read then, so a run under way can be looked at.

    Attributes:
        path: the run directory.
        phases: the runs of a recipe's phases, by name and in order; empty for a recipe without phases.
    """

    path: Path
    phases: Mapping[str, Run]

    def __init__(self, path: Path, phases: Mapping[str, Run] | None = None, *, base: Path | None = None) -> None:
        self.path, self._base = path, base
        self.phases = dict(phases or {})

    @property
    def summary(self) -> Summary:
        """Everything that the report shows, as one record."""
        return summarise(self.path)

    @property
    def name(self) -> str:
        """The run's name, which stands beside what it paid in the ledger."""
        return self.summary.name

    @property
    def constitution(self) -> Constitution:
        """The constitution as it was when the run began.

        Raises:
            DataError: this run has kept none.
        """
        found = self.summary.constitution
        if found is None:
            raise self._lacks("no constitution", "run it again")
        return found

    @property
    def candidates(self) -> Records[Candidates]:
        """The prompts with the completions that were sampled.

        Raises:
            DataError: nothing was sampled here.
        """
        return Records(self._file("candidates.jsonl", "sample", "no completions"), Candidates)

    @property
    def judgments(self) -> Records[Judgment]:
        """Every judgment, failures among them.

        Raises:
            DataError: nothing was labeled here.
        """
        return Records(self._file("judgments.jsonl", "label", "no judgments"), Judgment)

    @property
    def failed(self) -> list[Judgment]:
        """The judgments that are none: each says why, and what the judge said instead."""
        return [one for one in self.judgments if one.outcome.kind == "failed"]

    @property
    def preferences(self) -> InFiles[Preference]:
        """Pairs of a better and a worse response: what DPO, ORPO, SimPO and reward models learn from."""
        return InFiles("preference", self._dataset("preference"))

    @property
    def unpaired(self) -> InFiles[Rating]:
        """Responses that are desirable or not: what KTO learns from."""
        return InFiles("unpaired", self._dataset("unpaired"))

    @property
    def reward(self) -> InFiles[Rating]:
        """Responses with their scores. The rows hold no label: ``desirable`` says that the score is at least .5."""
        return InFiles("reward", self._dataset("reward"))

    @property
    def sft(self) -> InFiles[Demonstration]:
        """The best response to each prompt: what supervised fine-tuning learns from."""
        return InFiles("sft", self._dataset("sft"))

    @property
    def prompts(self) -> InFiles[Task]:
        """The prompts of a trainer that writes the responses itself (PPO, GRPO, RLOO, self-play)."""
        return InFiles(PROMPTS, self._dataset(PROMPTS))

    @property
    def checkpoint(self) -> Checkpoint:
        """What was trained. Its path is absolute, and so is that of the model it began at, where that is known.

        It is known of the run of a recipe; ``solon.open_run`` does not know where the recipe stood.

        Raises:
            DataError: nothing was trained here.
        """
        trained = self.summary.trained
        if trained is None:
            raise self._lacks("no checkpoint", "`train` was not run")
        one = trained.checkpoint
        began = (self._base or Path()) / one.base_model
        absolute = {"base_model": str(began.absolute())} if began.is_dir() else {}
        return one.model_copy(update={"path": str((self.path / one.path).absolute()), **absolute})

    @property
    def steps(self) -> tuple[dict[str, float], ...]:
        """The numbers that the training logged, one mapping a step."""
        return self.summary.steps

    @property
    def metrics(self) -> Metrics:
        """What was measured of the policy before and after, by name; empty where nothing was."""
        return Metrics(self.summary.metrics)

    @property
    def cost(self) -> Costs:
        """Tokens and dollars of each stage that asked models."""
        return Costs(costs(self.summary))

    def report(self, formats: Collection[Format] = (), *, anew: bool = False) -> Report:
        """The report, which is written where it is not there yet.

        Args:
            formats: of ``html``, ``md`` and ``json``; html and md when empty.
            anew: whether it is written again, as after grades were filled in.

        Raises:
            DataError: this is no run directory, or a file in it is broken.
            RunBusy: another process is at work in it.
        """
        wanted = known_formats(formats) or ("html", "md")
        if anew or not all(page_of(self.path, each).is_file() for each in wanted):
            report_on(self.path, wanted, Silent())
        return Report(page_of(self.path, wanted[0]), self.summary)

    def push_to_hub(
        self,
        address: str,
        *,
        what: What = "dataset",
        private: bool = True,
        replace: bool = False,
        merge: bool = False,
        base: str | None = None,
    ) -> Pushed:
        """Sends its datasets, or the model that it has trained, with a card to a hub, as ``solon push``.

        Args:
            address: ``hf://org/name``. The token is that of ``HF_TOKEN``.
            what: ``dataset`` or ``model``.
            private: whether only you see it.
            replace: whether files there may be replaced that solon has not sent.
            merge: of a model, adds an adapter into the weights of its base.
            base: of a model, the base's folder or hub id, where the recipe's does not lead there from here.

        Raises:
            DataError: there is nothing to send, it must not leave this machine, or the hub refuses it.
            MissingExtra: ``huggingface_hub`` is not installed.
            StorageError: the hub cannot be reached; the same call goes on.
        """
        from solon.interchange.pushing import push_to_hub

        return push_to_hub(self.path, address, what=what, private=private, replace=replace, merge=merge, base=base)

    def convert(self, to: str, out: str | Path) -> Converted:
        """Writes its datasets as another library reads them, as ``solon convert``.

        Args:
            to: ``trl``, ``axolotl``, ``llama-factory``, ``openrlhf`` or ``distilabel``.
            out: a folder that is empty or not there.

        Raises:
            DataError: there is nothing to write, or ``out`` holds something.
        """
        from solon.interchange.converting import convert

        return convert(self.path, to, Path(out))

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        summary = self.summary
        lines = [f"Run {self.path}: {headline(summary)}"]
        lines += [f"  {fact.name:<9} {fact.text}" for fact in data_facts(summary)]
        if summary.labeled is not None:
            failed = sum(summary.labeled.failed.values())
            said = f"{summary.labeled.judgments:,} judgments by {summary.labeled.labeler}, {failed:,} failed"
            lines.append(f"  {'labeled':<9} {said}")
        if summary.trained is not None:
            lines.append(f"  {'trained':<9} {self.path / summary.trained.checkpoint.path}")
        if self.phases:
            lines.append(f"  {'phases':<9} {', '.join(self.phases)}")
        return "\n".join(_visible(line) for line in lines)

    def _repr_html_(self) -> str:
        page = Report(page_of(self.path, "html"), self.summary)
        link = page.link() if page.path.is_file() else ""
        return f"<pre>{escape(repr(self))}</pre>{self.metrics._repr_html_() if self.metrics else ''}{link}"

    def _dataset(self, kind: str) -> Path:
        folder = self.path / "datasets" / kind
        if not any((folder / f"{side}.parquet").is_file() for side in SIDES):
            there = [each for each in RECORD_OF if (self.path / "datasets" / each).is_dir()]
            raise self._lacks(f"no {kind} dataset", f"there is {', '.join(there)}" if there else "`build` was not run")
        return folder

    def _file(self, name: str, stage: str, what: str) -> Path:
        path = self.path / name
        if not path.is_file():
            given = stage == "sample" and self.summary.labeled is not None
            raise self._lacks(what, "it began at existing ones" if given else f"`{stage}` was not run")
        return path

    def _lacks(self, what: str, why: str) -> DataError:
        return DataError([Problem(str(self.path), f"holds {what}", why)])


def open_run(path: str | Path) -> Run:
    """The run in a directory, as ``solon.run`` returned it; of a recipe with phases, its last phase.

    Raises:
        DataError: it is no run directory.
    """
    folder = Path(path)
    if (folder / "run.json").is_file():
        return Run(folder)
    if (folder / "comparison.json").is_file():
        raise DataError([Problem(str(folder), "is a comparison", "open the folder of one of its entries")])
    inside = [each.parent for each in folder.glob("*/run.json")] if folder.is_dir() else []
    if not inside:
        remedy = "give the directory that a run wrote, e.g. runs/quickstart"
        raise DataError([Problem(str(folder), "is not a run directory: it holds no run.json", remedy)])
    return of_phases(sorted(inside, key=lambda each: (each / "run.json").stat().st_mtime_ns))


def of_phases(folders: Collection[Path], base: Path | None = None) -> Run:
    """The last of several phases, which knows the others; ``base`` is what paths in the recipe are relative to."""
    phases = {folder.name: Run(folder, base=base) for folder in folders}
    return Run(list(folders)[-1], phases, base=base)


def _visible(text: str) -> str:
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
