"""The trackers that a recipe can name under ``track``. Their libraries are imported when a training begins.

track: wandb
track: [tensorboard, {kind: mlflow, uri: "http://127.0.0.1:5000"}]
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from netrc import NetrcParseError, netrc
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from solon.errors import MissingExtra
from solon.plugins.base import Settings
from solon.tracking.about import About
from solon.tracking.logbook import Logbook, Memory

_WANDB_HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")
_DATABASE = re.compile(r"^(sqlite|postgresql|mysql|mssql)(\+\w+)?:")


class Tracker(Settings):
    """Base of trackers.

    Class attributes:
        kind: its name in a recipe.
        title: its name among people.
        package: the module that it needs, which ``extra`` of solon brings.
        library: what of it is imported, where that is not all.
        environment: its variables that are meant unless they are set, some of which it reads when it is imported.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    package: ClassVar[str]
    extra: ClassVar[str]
    library: ClassVar[str] = ""
    environment: ClassVar[Mapping[str, str]] = {}

    def problems(self) -> list[str]:
        """What keeps it from working here, that is known without asking anyone."""
        return [str(self.missing())] if find_spec(self.package) is None else []

    def warnings(self) -> list[str]:
        """What may keep it from working."""
        return []

    def missing(self) -> MissingExtra:
        """Says how to get its library."""
        return MissingExtra(f"`track: {self.kind}`", self.extra)

    def load(self) -> None:
        """Imports its library, and what of ours talks to it.

        To be called before there is a second thread: two that import at the same time can each find packages that the
        other has made half.

        Raises:
            MissingExtra: it is not installed.
            Exception: whatever its library raises.
        """
        for name, value in self.environment.items():
            os.environ.setdefault(name, value)
        try:
            for module in (self.library or self.package, f"solon.tracking.{self.kind}"):
                import_module(module)
        except ModuleNotFoundError as error:
            if error.name == self.package:
                raise self.missing() from error
            raise

    def open(self, about: About, training: str, memory: Memory) -> Logbook:
        """Begins a run at the tracker, or goes on in the one that is remembered of this training.

        Raises:
            Exception: whatever its library raises.
        """
        raise NotImplementedError(f"tracker {self.kind!r} does not implement open()")


class TensorBoard(Tracker):
    """Event files in ``tensorboard/`` of the run directory: ``tensorboard --logdir runs`` shows them."""

    kind: ClassVar[str] = "tensorboard"
    title: ClassVar[str] = "TensorBoard"
    package: ClassVar[str] = "tensorboardX"
    extra: ClassVar[str] = "train"

    def open(self, about: About, training: str, memory: Memory) -> Logbook:
        """A new event file beside those of the same training; those of another are set aside."""
        from solon.tracking.tensorboard import EventFiles

        return EventFiles(about, training, memory)


class WandB(Tracker):
    """Weights & Biases. The key is ``WANDB_API_KEY``, or what ``wandb login`` has kept.

    Attributes:
        project: of W&B.
        entity: a user or a team; the default of the key when left out.
        mode: ``offline`` keeps all in the run directory for ``wandb sync``; when left out ``WANDB_MODE`` says it.
        tags: of the run.
    """

    kind: ClassVar[str] = "wandb"
    title: ClassVar[str] = "Weights & Biases"
    package: ClassVar[str] = "wandb"
    extra: ClassVar[str] = "wandb"
    environment: ClassVar[Mapping[str, str]] = {"WANDB_ERROR_REPORTING": "false"}

    project: str = Field(default="solon", min_length=1)
    entity: str | None = None
    mode: Literal["online", "offline"] | None = None
    tags: tuple[str, ...] = ()

    def warnings(self) -> list[str]:
        """That it is to be sent, and no key is in sight."""
        is_online = (self.mode or os.environ.get("WANDB_MODE") or "online") == "online"
        if not is_online or _has_wandb_key():
            return []
        return ["there is no key for Weights & Biases: set WANDB_API_KEY, run `wandb login`, or take `mode: offline`"]

    def open(self, about: About, training: str, memory: Memory) -> Logbook:
        """A run of the group that the recipe's trainings are."""
        from solon.tracking.wandb import WandBRun

        return WandBRun(self, about, training, memory)


class MLflow(Tracker):
    """MLflow, at a server or in a folder.

    Attributes:
        uri: ``http(s)://`` of a server, or a folder, relative to where solon runs. ``MLFLOW_TRACKING_URI`` when left
            out, else the folder ``mlruns``. User and password go into MLFLOW_TRACKING_USERNAME and _PASSWORD.
        experiment: its name.
    """

    kind: ClassVar[str] = "mlflow"
    title: ClassVar[str] = "MLflow"
    package: ClassVar[str] = "mlflow"
    extra: ClassVar[str] = "mlflow"
    library: ClassVar[str] = "mlflow.tracking"
    environment: ClassVar[Mapping[str, str]] = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # what fails is tried again here, without holding up the rest
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    }

    uri: str | None = None
    experiment: str = Field(default="solon", min_length=1)

    @field_validator("uri")
    @classmethod
    def _holds_no_password(cls, uri: str | None) -> str | None:
        if uri is not None and "@" in urlsplit(uri).netloc:
            raise ValueError(
                "a recipe holds no passwords: take the user out of the address, and set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD"
            )
        return uri

    @property
    def where(self) -> str:
        """The address that is used."""
        return self.uri or os.environ.get("MLFLOW_TRACKING_URI") or "mlruns"

    def problems(self) -> list[str]:
        """Its library is missing, or a database is asked for, which all of MLflow is needed for."""
        found = super().problems()
        if not found and _DATABASE.match(self.where) and find_spec("sqlalchemy") is None:
            found.append(f"`track: mlflow` with a database ({self.where.partition(':')[0]}) needs: pip install mlflow")
        return found

    def open(self, about: About, training: str, memory: Memory) -> Logbook:
        """A run of the experiment."""
        from solon.tracking.mlflow import MLflowRun

        return MLflowRun(self, about, training, memory)


class Trackio(Tracker):
    """Trackio: on this machine, or in a space of the Hugging Face hub.

    Attributes:
        project: of Trackio.
        space: ``user/name`` of a space; on this machine when left out.
    """

    kind: ClassVar[str] = "trackio"
    title: ClassVar[str] = "Trackio"
    package: ClassVar[str] = "trackio"
    extra: ClassVar[str] = "trackio"

    project: str = Field(default="solon", min_length=1)
    space: str | None = None

    def open(self, about: About, training: str, memory: Memory) -> Logbook:
        """A run of the project."""
        from solon.tracking.trackio import TrackioRun

        return TrackioRun(self, about, training, memory)


KINDS: Mapping[str, type[Tracker]] = {each.kind: each for each in (TensorBoard, WandB, MLflow, Trackio)}


def _created(value: Any) -> Any:
    """A tracker from its name, or from a mapping with ``kind`` and settings."""
    if isinstance(value, Tracker):
        return value
    if isinstance(value, str):
        value = {"kind": value}
    if not isinstance(value, Mapping) or "kind" not in value:
        raise ValueError(f"a tracker is a name or a mapping with `kind`: {', '.join(KINDS)}")
    settings = dict(value)
    kind = str(settings.pop("kind"))
    if kind not in KINDS:
        near = get_close_matches(kind, KINDS, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"no tracker is called {kind!r}; there are {', '.join(KINDS)}{meant}")
    try:
        return KINDS[kind].model_validate(settings)
    except ValidationError as error:
        raise PydanticCustomError(
            "plugin", "not the settings of this tracker", {"error": error, "model": KINDS[kind]}
        ) from None


def _several(value: Any) -> Any:
    """One stands for a list of one, and null for none."""
    if value is None:
        return []
    return value if isinstance(value, list | tuple) else [value]


def _each_once(trackers: Any) -> Any:
    named = [_kind_of(each) for each in trackers]
    if twice := [kind for number, kind in enumerate(named) if kind is not None and kind in named[:number]]:
        raise ValueError(f"{twice[0]} stands there twice, and its numbers would be mixed: take one out")
    return trackers


def _kind_of(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)


def _schema() -> dict[str, Any]:
    each: list[dict[str, Any]] = [{"enum": list(KINDS)}]
    for kind, settings in KINDS.items():
        properties = settings.model_json_schema().get("properties", {})
        each.append(
            {
                "type": "object",
                "properties": {"kind": {"const": kind}, **properties},
                "required": ["kind"],
                "additionalProperties": False,
            }
        )
    return {"anyOf": each}


_ONE = _schema()
AnyTracker = Annotated[Tracker, BeforeValidator(_created), WithJsonSchema(_ONE)]
"""A pydantic field type: a tracker, its name, or its mapping."""
Track = Annotated[
    tuple[AnyTracker, ...],
    BeforeValidator(_each_once),
    BeforeValidator(_several),
    WithJsonSchema({"anyOf": [*_ONE["anyOf"], {"type": "array", "items": _ONE}, {"type": "null"}]}),
]
"""A pydantic field type: trackers; one stands for a list of one, and ``null`` for none."""
USUAL: Any = TensorBoard.kind
"""What a recipe has that names none, as it would write it."""


def _has_wandb_key() -> bool:
    """Whether the environment or ``.netrc`` holds one; nothing is asked, and no key is read out."""
    if any(os.environ.get(name) for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")):
        return True
    stated = urlsplit(os.environ.get("WANDB_BASE_URL", "")).hostname
    try:
        kept = netrc(os.environ.get("NETRC"))
    except (OSError, NetrcParseError):
        return False
    return bool({stated, *_WANDB_HOSTS} & kept.hosts.keys())
