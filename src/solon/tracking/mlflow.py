"""MLflow: one run a training, in one experiment; runs of one recipe share the tag ``solon.group``."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from solon.tracking.about import About
from solon.tracking.kinds import MLflow
from solon.tracking.logbook import Memory, Remembered, Stepwise

_LONGEST_PARAMETER = 6000
_AT_ONCE = 100  # parameters, and metrics, that a server takes in one request
_NOT_IN_NAMES = re.compile(r"[^\w\-. /]")


class MLflowRun(Stepwise):
    """A run. What a step says is sent at once, so that what is there is known when a training goes on."""

    def __init__(self, settings: MLflow, about: About, training: str, memory: Memory) -> None:
        from mlflow.tracking import MlflowClient

        where = settings.where
        if "://" not in where:
            where = Path(where).absolute().as_uri()
        if where.startswith("file:"):  # asked for by name: MLflow wants this said as well
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        self.where = settings.where
        self._sent = 0  # requests of the call under way that arrived: made again after a failure, it goes on there
        self._client: Any = MlflowClient(tracking_uri=where)
        if (known := memory.going_on(training)) is not None:
            self._client.update_run(known.run, status="RUNNING")
            self._begin(memory, known, max(known.step, self._last_step(known.run)))
            return
        run = self._client.create_run(
            self._experiment(settings.experiment),
            run_name=about.name,
            tags={"solon.group": about.group} if about.group else None,
        )
        self._begin(memory, Remembered(training=training, run=run.info.run_id), 0)
        memory.keep(self._known)
        for some in _some(about.flat().items()):
            self._log(params=[_parameter(name, value) for name, value in some])

    def _send(self, step: int, numbers: Mapping[str, float]) -> None:
        self._metrics(numbers, step)

    def alarm(self, name: str, step: int, value: float, text: str) -> None:
        """A number of the step, and a tag, which holds the last sentence of each name."""
        if step > self._before:  # the tag first: it may be set twice, when a call is made again
            self._client.set_tag(self._known.run, _name(name), f"step {step}: {text}")
            self._metrics({name: value}, step)

    def results(self, numbers: Mapping[str, float], table: str) -> None:
        """Metrics at step 0, and the table as the run's note."""
        self._client.set_tag(self._known.run, "mlflow.note.content", table)
        self._metrics(numbers, 0)

    def close(self, *, failed: bool) -> None:
        """Ends the run."""
        self._client.set_terminated(self._known.run, status="FAILED" if failed else "FINISHED")

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id) if found is not None else str(self._client.create_experiment(name))

    def _last_step(self, run: str) -> int:
        """The last that is there: a process may have died after it was sent, and before that was written down."""
        names = [name for name in self._client.get_run(run).data.metrics if name.startswith("train/")]
        steps = (one.step for name in names for one in self._client.get_metric_history(run, name))
        return max(steps, default=0)

    def _metrics(self, numbers: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        for some in islice(_some(numbers.items()), self._sent, None):
            self._log(metrics=[Metric(_name(name), value, now, step) for name, value in some])
            self._sent += 1
        self._sent = 0

    def _log(self, **what: Any) -> None:
        self._client.log_batch(self._known.run, **what)


def _parameter(name: str, value: str) -> Any:
    from mlflow.entities import Param

    return Param(_name(name), value[:_LONGEST_PARAMETER])


def _name(name: str) -> str:
    """The name in the characters that MLflow takes, and in one folder: a file cannot be a folder of others too."""
    group, slash, rest = _NOT_IN_NAMES.sub("_", name).partition("/")
    return group + slash + rest.replace("/", ".")


def _some(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
