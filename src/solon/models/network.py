"""What went wrong on the way to a server and back, told apart once for all models: for SDKs, which use aiohttp, too."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import aiohttp

from solon.errors import ModelError, ModelRejected, ModelUnavailable
from solon.models.connection import BrokenOffError, CannotConnectError, UnsafeError


def network_error(error: BaseException, who: str, timeout_s: float) -> ModelError:
    """What a broken exchange means.

    The SDKs wrap aiohttp's errors in their own, under names that no longer say whether the request went out; so the
    error is followed to its cause.

    Args:
        error: of ``solon.models.connections``, of aiohttp, or of an SDK that uses it.
        who: names model and server in messages.
        timeout_s: how long the request was allowed to take.
    """
    cause = _root(error)
    told = f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__
    match cause:
        case (
            aiohttp.ClientConnectorCertificateError()
            | aiohttp.ClientConnectorSSLError()
            | ssl.SSLCertVerificationError()
            | aiohttp.InvalidURL()
        ):
            return ModelRejected(f"{who} cannot be reached safely ({told}): check `base_url`")
        case UnsafeError():
            return ModelRejected(f"{who} cannot be reached safely ({cause}): check `base_url`")
        case CannotConnectError() | aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return ModelUnavailable(f"{who} cannot be reached ({cause}): is it running?", unreachable=True)
        case TimeoutError():
            return ModelUnavailable(f"{who} did not answer within {timeout_s:g} s", maybe_billed=True, timed_out=True)
        case BrokenOffError():
            return ModelUnavailable(f"{who} broke off: {cause}", maybe_billed=True)
        case _:
            return ModelUnavailable(f"{who} broke off ({told})", maybe_billed=True)


_OF_THE_NETWORK = (BrokenOffError, CannotConnectError, aiohttp.ClientError, TimeoutError)


def _root(error: BaseException) -> BaseException:
    """The first of the network's own errors that is behind it, or the error itself."""
    return next((one for one in causes(error) if isinstance(one, _OF_THE_NETWORK)), error)


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error, what caused it, what caused that, and so on."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        yield one
        seen.add(id(one))
        one = one.__cause__ or one.__context__
