"""What every stage is given: the recipe, the constitution, the run directory, and where to report."""

from __future__ import annotations

import platform
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from solon.constitution.library import resolve
from solon.data.prompts import Prompts, read_prompts
from solon.data.records import Constitution
from solon.errors import ModelError, Problem, RecipeError
from solon.ledger import Ledger
from solon.models.base import ChatModel
from solon.models.transformers import Transformers
from solon.plugins.base import Plugin, base_folder, located
from solon.plugins.boundary import answer_of
from solon.plugins.registry import packages_of
from solon.progress import Progress, Silent
from solon.recipe import Opened, Recipe, plugins
from solon.report.write import USUAL, Format
from solon.rundir import RunDirectory, clock
from solon.stages.collector import seldom_collecting
from solon.stream import Event, OnEvent, Stream
from solon.tracking import Tracked, about, tracked
from solon.trainers.base import Policy

MATTERING_PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "pyarrow", "pydantic")


@dataclass
class Run:
    """A recipe at work in its run directory.

    Attributes:
        refuse_ahead: raises what would keep a later stage of the same command from working here; asked before an
            earlier one works, so that nothing is sampled or paid for in vain.
        formats: those in which the report is written.
    """

    opened: Opened
    directory: RunDirectory
    constitution: Constitution
    ledger: Ledger
    progress: Progress = field(default_factory=Silent)
    refuse_ahead: Callable[[], None] = lambda: None
    formats: Collection[Format] = USUAL

    @property
    def recipe(self) -> Recipe:
        """What the user wrote."""
        return self.opened.recipe

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.directory.path

    def tracked(self, training: str = "") -> AbstractContextManager[Tracked]:
        """The trackers of the recipe. ``training`` names what is trained, empty for what belongs to the last one."""
        told = about(
            self.opened.name,
            budget=self.opened.budget,
            recipe=self.opened.data,
            constitution=self.constitution,
            seed=self.recipe.seed,
            versions=versions(self.recipe),
        )
        return tracked(
            self.recipe.track,
            told,
            self.path,
            lambda text: self.progress.say(f"{'track':<9} {text}"),
            training=training,
        )

    def training_prompts(self) -> Prompts:
        """The prompts that completions are sampled for."""
        assert self.recipe.prompts is not None
        return read_prompts(located(self.recipe.prompts), self.recipe.columns)

    @asynccontextmanager
    async def stream(
        self, stage: str, *models: ChatModel, on_event: OnEvent | None = None, keeps_worth: bool = False
    ) -> AsyncIterator[Stream]:
        """The stage's scheduler, on the run's ledger and budget. Models are closed at its end."""
        if any(model.provider_batches() is not None for model in models):
            on_event = _telling(self.progress, stage, on_event)
        try:
            with seldom_collecting():
                async with Stream(
                    self.ledger,
                    run=self.opened.name,
                    stage=stage,
                    max_usd=self.recipe.max_usd,
                    budget=self.opened.budget,
                    on_event=on_event,
                    keeps_worth=keeps_worth,
                    asks_remote=any(model.remote for model in models),
                ) as stream:
                    yield stream
            self.directory.found[stage] = stream.found()
            for found in stream.found():
                if found.throttled:
                    self.progress.say(f"{stage:<9} {found}")
        finally:
            # only now: the stream has waited for replies that were under way
            for model in models:
                await model.aclose()


def _telling(progress: Progress, stage: str, on_event: OnEvent | None) -> OnEvent:
    """Says how far the batches of providers are, besides what the stage does with the event."""

    def tell(event: Event) -> None:
        if event.kind == "batch":
            progress.say(f"{stage:<9} {event.model}: {event.detail}")
        elif event.kind == "waiting":
            progress.note(event.detail)
        if on_event is not None:
            on_event(event)

    return tell


@contextmanager
def opened_run(opened: Opened, run_dir: Path, progress: Progress) -> Iterator[Run]:
    """Opens everything a stage needs, locks the run directory, and notes what is run."""
    with base_folder(opened.folder):
        constitution = resolve(located(opened.recipe.constitution))
    with RunDirectory.open(run_dir) as directory, Ledger.open(Path(opened.recipe.ledger)) as ledger:
        directory.begin(
            name=opened.name,
            seed=opened.recipe.seed,
            constitution=constitution.model_dump(mode="json"),
            versions=versions(opened.recipe),
            recipe=opened.text(),
        )
        yield Run(opened, directory, constitution, ledger, progress)


def versions(recipe: Recipe | None = None) -> dict[str, str]:
    """Python's version and those of the packages that may change a result: of a recipe's plugins, and if installed."""
    used = plugins(recipe) if recipe is not None else ()
    found = {"python": platform.python_version()} | packages_of(plugin for _, plugin in used)
    for package in MATTERING_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def policy_model(policy: Policy, *, model: str | None = None, adapter: str | None = None) -> Transformers:
    """The policy as a chat model; ``model`` and ``adapter`` put a checkpoint in its place.

    The policy's own adapter goes with the policy only: in a checkpoint of all weights it is merged.
    """
    return Transformers(
        model=model or policy.model,
        adapter=policy.adapter if model is None and adapter is None else adapter,
        load_in_4bit=policy.load_in_4bit,
        dtype=policy.dtype,
        threads=policy.threads,
        batch_size=policy.batch_size,
    )


def refuse_problems(*plugins: Plugin) -> None:
    """Stops before any work when a plugin already knows that it cannot do it here.

    Raises:
        RecipeError: with every problem.
    """
    # two may lack the same key
    texts = dict.fromkeys(text for plugin in plugins for text in answer_of(plugin, "problems"))
    found = [Problem("", text) for text in texts]
    if found:
        raise RecipeError(found)


def forget_others(run: Run, stages: Collection[str]) -> None:
    """Sets aside what an earlier recipe did in stages that this one does not have, with all that came after."""
    for name in run.directory.done:
        if name not in stages and (aside := run.directory.set_aside(name)) is not None:
            run.progress.say(f"{name:<9} is not part of this recipe; what was there is now in {aside}")


@contextmanager
def stage(
    run: Run, name: str, inputs: Mapping[str, Any], *, needs: Sequence[Plugin] = (), again: bool = False
) -> Iterator[Stage | None]:
    """``None`` when the stage is done with these inputs; otherwise what it fills, noted when the block ends.

    ``again`` does it once more although the inputs are the same: calls that were unavailable may be answered now. If
    the model cannot be asked at all by now, what was there stays: it was enough before. ``needs`` are the plugins that
    do the work: a problem that they know of already stops it before anything of an earlier recipe is moved.
    """
    if run.directory.is_done(name, inputs):
        if not again:
            run.progress.say(f"{name:<9} done before, with the same inputs")
            yield None
            return
    else:
        refuse_problems(*needs)
        run.refuse_ahead()
        if (aside := run.directory.set_aside(name)) is not None:
            run.progress.say(f"{name:<9} its inputs have changed; what was there is now in {aside}")
    started = clock()
    work = Stage(run, name)
    try:
        yield work
    except ModelError as error:
        if not run.directory.is_done(name, inputs):
            raise
        run.progress.say(f"{name:<9} what was unavailable before still is, and is left out as before: {error}")
        return
    run.directory.finish(name, inputs, work.outputs, work.summary, started)


@dataclass
class Stage:
    """What one stage leaves behind."""

    run: Run
    name: str
    outputs: list[Path] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)

    def file(self, name: str) -> Path:
        """A file of the run directory that this stage writes."""
        path = self.run.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.outputs.append(path)
        return path
