"""What ``openai`` and ``anthropic`` share: a provider's own SDK as the way to its server, and nothing more of it.

The SDK makes one attempt: its retries are off, its time-out is ours. It is handed the finished body and gives back the
raw one, since it returns nonsense of status 200 as success (no choices, null content, a web page as a ``str``).
"""

from __future__ import annotations

import asyncio
import importlib
import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import Any, ClassVar, Literal

from pydantic import Field, JsonValue, PrivateAttr, field_validator

from solon.errors import MissingExtra, ModelError, ModelRejected
from solon.keys import reply_without
from solon.models.base import Reply, Request
from solon.models.network import network_error
from solon.models.prices import Listed, listed
from solon.models.remote import RemoteModel, address, server_of, without_key
from solon.models.wire import MOST_BYTES, json_object, unusable

_JSON = {"Content-Type": "application/json"}


class SdkModel(RemoteModel):
    """A chat model behind a provider's SDK.

    Class attributes:
        home: where the provider's own API begins; the table of prices holds there and nowhere else.
        path: what is asked for a reply, below ``base_url``.

    Attributes:
        base_url: where the API begins, if not at the provider's own address. Then ``price`` has to be stated.
        extra_body: fields to add to each request or to put in place of ours; null takes one out. No secrets: settings
            are hashed and written out.
    """

    home: ClassVar[str]
    path: ClassVar[str]

    base_url: str
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)

    _client: Any = PrivateAttr(default=None)
    _loop: asyncio.AbstractEventLoop | None = PrivateAttr(default=None)
    _response_type: Any = PrivateAttr(default=None)

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        return address(url)

    # ------------------------------------------------------------ what each provider says in its own way

    @abstractmethod
    def body_of(self, request: Request) -> dict[str, Any]:
        """The JSON body of the request, as it is sent alone or in a batch."""

    @abstractmethod
    def reply_in(self, data: Mapping[str, Any], request: Request | None) -> Reply:
        """The checked reply in a body of status 200. ``request`` is ``None`` where a batch of another process holds it.

        Raises:
            ModelUnavailable: it is no reply.
            ModelRejected: another model has answered.
        """

    @abstractmethod
    def error_of(
        self, status: int, headers: Mapping[str, str], raw: bytes, request: Request | None
    ) -> ModelError | Reply:
        """What a body of another status means: an error to raise, or a reply that a filter stopped."""

    @abstractmethod
    def _connected(self, sdk: ModuleType, **settings: Any) -> Any:
        """The SDK's asynchronous client."""

    @property
    def headers(self) -> dict[str, str]:
        """What goes with each request besides its body and the key, batches included."""
        return {}

    # ------------------------------------------------------------ what they share

    @property
    def server(self) -> str:
        """Host, port and path, for people."""
        return server_of(self.base_url)

    @property
    def listed(self) -> Listed | None:
        """Its row in the table of prices, which holds for the provider itself and for no other server."""
        return listed(self.kind, self.model) if self.base_url == self.home else None

    def problems(self) -> list[str]:
        """A key that is not there, a price that is not known, packages that are not installed."""
        found = super().problems()
        if find_spec(self.kind) is None:
            found.append(str(self._missing()))
        return found

    def prepare(self) -> None:
        """Imports the SDK, which takes some seconds."""
        self._sdk()

    async def complete(self, request: Request) -> Reply:
        """One request, one attempt, one checked reply."""
        # ASCII, because judged text may hold half a surrogate pair, which is no valid UTF-8
        content = json.dumps(self.body_of(request)).encode()
        async with self.asking() as client:
            response = await self.exchange(client, "post", self.path, content=content, options={"headers": _JSON})
            raw = reply_without(response.content, self.key())
            if len(raw) > MOST_BYTES:
                raise unusable(self.who, f"answered with more than {MOST_BYTES:,} bytes")
            if response.status_code == 200:
                return self.reply_in(json_object(raw, self.who), request)
            meant = self.error_of(response.status_code, response.headers, raw, request)
            if isinstance(meant, ModelError):
                raise meant
            return meant

    async def exchange(self, client: Any, method: Literal["get", "post"], path: str, **sent: Any) -> Any:
        """One request of the SDK's client, and the raw response, whatever its status."""
        sdk = self._sdk()
        try:
            return await getattr(client, method)(path, cast_to=self._response_type, **sent)
        except sdk.APIStatusError as error:
            return error.response

    @property
    def library(self) -> ModuleType:
        """The HTTP library that the SDK is built on; known once it is connected."""
        return importlib.import_module(self._response_type.__module__.partition(".")[0])

    @asynccontextmanager
    async def asking(self, *, timed: bool = True) -> AsyncIterator[Any]:
        """The SDK's client, for ``timeout_s`` seconds; the one place where its errors become ours, without the key.

        Not ``timed``, it is for what may take longer, such as the results of a batch: then each part has its time.

        Raises:
            ModelUnavailable: it did not answer this time.
            ModelRejected: it never will.
            MissingExtra: the SDK is not installed.
        """
        sdk = self._sdk()
        key = self.key()
        try:
            async with asyncio.timeout(self.timeout_s if timed else None):
                yield self._connect(sdk, key)
        except ModelError as error:
            without_key(error, key)
            raise
        except sdk.APIStatusError as error:
            meant: Any = self.error_of(error.status_code, error.response.headers, error.response.content, None)
            if isinstance(meant, Reply):
                meant = ModelRejected(f"{self.who} answered {error.status_code}: {meant.text}")
            without_key(meant, key)
            raise meant from None  # the SDK's error holds the request, and so the key
        except (sdk.APIConnectionError, TimeoutError, OSError) as error:
            meant = network_error(error, self.who, self.timeout_s)
            without_key(meant, key)
            raise meant from None

    async def aclose(self) -> None:
        """Closes the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _connect(self, sdk: ModuleType, key: str | None) -> Any:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._loop = loop
            try:
                # a redirect is an error that says where to, and not a request with the key to another host
                http = sdk.DefaultAioHttpClient(follow_redirects=False)
            except RuntimeError as error:
                raise self._missing() from error
            # the SDK hands out raw responses when asked for the class of the HTTP library that it is built on
            library = next(base.__module__ for base in type(http).__mro__ if base.__name__ == "AsyncClient")
            self._response_type = importlib.import_module(library).Response
            self._client = self._connected(
                sdk,
                api_key=key or "none",
                base_url=self.base_url,  # else an environment variable could send requests elsewhere
                max_retries=0,
                timeout=self.timeout_s,
                http_client=http,
            )
            # not those of OPENAI_CUSTOM_HEADERS or ANTHROPIC_CUSTOM_HEADERS: they go before the key that the recipe
            # names, would be sent to any server, and stand in no record of how a reply came to be
            self._client._custom_headers = self.headers
        return self._client

    def _sdk(self) -> ModuleType:
        try:
            return importlib.import_module(self.kind)
        except ImportError as error:
            raise self._missing() from error

    def _missing(self) -> MissingExtra:
        return MissingExtra(f"the model kind {self.kind!r}", self.kind)
