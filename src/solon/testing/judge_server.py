"""A simulated judge behind a real HTTP server on this machine: every recipe with an API judge runs without a key.

    python -m solon.testing.judge_server                                  # until Ctrl-C, an hour at most
    python -m solon.testing.judge_server -- solon run recipe.yaml         # for as long as a command runs

It speaks OpenAI's chat completions and batches at ``http://127.0.0.1:8765/v1`` and Anthropic's Messages and Message
Batches at ``http://127.0.0.1:8765``. What it says is decided by ``solon.testing.simulated_judge``. A judge that knows
other things is a script of two lines: ``examples/rlaif_llama/judge_server.py``.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from solon.testing.batch_formats import RowFault
from solon.testing.batches import BatchServer
from solon.testing.merit import QUALITIES, Quality
from solon.testing.simulated_judge import answer_to

PORT = 8765
_COMMAND_NOT_FOUND = 127


class JudgeServer(BatchServer):
    """The server; an asynchronous context manager. It takes the arguments of ``BatchServer`` and ``FaultServer``.

    ::

        async with JudgeServer() as server:
            judge = Endpoint(base_url=server.base_url, model="judge", price={"input": 0, "output": 0})

    Args:
        qualities: what the judge knows of good responses.
        polls: as for ``BatchServer``.
        settings: the other arguments of both.
    """

    def __init__(self, *, qualities: Sequence[Quality] = QUALITIES, polls: int = 1, **settings: Any) -> None:
        super().__init__(
            polls=polls,
            answer=lambda asked: answer_to(asked.body, qualities).text,
            logprobs=lambda asked: answer_to(asked.body, qualities).first_token,
            **settings,
        )


def command_line(qualities: Sequence[Quality] = QUALITIES) -> typer.Typer:
    """What a user runs: a server until it is interrupted, or for as long as a command runs.

    Args:
        qualities: what the judge knows of good responses.
    """
    application = typer.Typer(add_completion=False)

    @application.command()
    def main(
        command: Annotated[
            list[str] | None, typer.Argument(help="A command to run; the server ends with it, and with its exit code.")
        ] = None,
        port: Annotated[int, typer.Option(help="Where to listen; 0 for any port that is free.")] = PORT,
        minutes: Annotated[float, typer.Option(min=0, help="Without a command: end after so long.")] = 60.0,
        faults: Annotated[
            float, typer.Option(min=0, max=0.9, help="Share of the requests that fail in a way that heals.")
        ] = 0.0,
    ) -> None:
        """Serve a simulated judge on this machine, in the formats of OpenAI and Anthropic."""
        try:
            code = asyncio.run(_serve(command or [], port, minutes, faults, qualities))
        except KeyboardInterrupt:
            code = 130
        raise typer.Exit(code)

    return application


async def _serve(command: Sequence[str], port: int, minutes: float, faults: float, qualities: Sequence[Quality]) -> int:
    rows = dict.fromkeys((RowFault.EXPIRED, RowFault.FAILED, RowFault.MISSING), faults / 3)
    server = JudgeServer(qualities=qualities, port=port, share=faults, shares=rows)
    try:
        await server.__aenter__()
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        typer.echo(f"port {port} of 127.0.0.1: {why}. Is a judge there already? --port 0 takes any", err=True)
        return 1
    try:
        typer.echo(f"OpenAI's format     {server.base_url}\nAnthropic's format  {server.root}", err=bool(command))
        sys.stdout.flush()
        if not command:
            await asyncio.sleep(60 * minutes)
            return 0
        try:
            process = await asyncio.create_subprocess_exec(*command)
        except OSError as error:
            typer.echo(f"{command[0]}: {error.strerror}", err=True)
            return _COMMAND_NOT_FOUND
        return await process.wait()
    finally:
        await server.__aexit__(None, None, None)


if __name__ == "__main__":
    command_line()()
