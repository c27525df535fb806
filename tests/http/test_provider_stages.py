"""A whole stage with every model behind a network, while nearly a third of all requests fail; and ``solon label``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from project import jsonl, small_project
from served import KINDS, model_at, request
from solon.errors import ModelRejected, ModelUnavailable
from solon.ledger import Ledger
from solon.stream import Retries, Stream, ask
from solon.testing import Asked, Fault, FaultServer

QUICK = Retries(first_wait_s=0.001, longest_wait_s=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
async def test_with_nearly_a_third_of_the_requests_failing_every_judgment_is_made(kind: str, tmp_path: Path):
    """300 calls, 30 % of all requests fail in twelve ways: on average 1 / .7 = 1.43 requests a reply, at most 1.5."""
    async with FaultServer(share=0.3, answer=lambda asked: f"to {asked.text}") as server:
        model = model_at(server, kind, concurrency=32)
        with Ledger.open(tmp_path / "l.sqlite") as ledger:
            async with Stream(ledger, run="r", stage="s", retries=QUICK) as stream:

                async def deed(number: int) -> str:
                    return (await ask(model, request(f"question {number}"))).text

                results = [result async for _, result in stream.map(deed, range(300), window=64)]
            assert results == [f"to question {number}" for number in range(300)]
            assert len(list(ledger.entries())) == 300
        await model.aclose()
    assert len(server.requests) <= 1.5 * 300


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", [Fault.UNAUTHORIZED, Fault.NOT_FOUND, Fault.QUOTA_USED_UP, Fault.BAD_REQUEST])
async def test_what_fails_for_good_is_asked_once_and_stops_the_stage(kind: str, fault: Fault, tmp_path: Path):
    """100 questions, 64 of which could be under way at once."""
    async with FaultServer(lambda asked: fault) as server:
        model = model_at(server, kind)

        async def stage(ledger: Ledger) -> None:
            async with Stream(ledger, run="r", stage="s") as stream:
                async for _ in stream.map(lambda number: ask(model, request(f"{number}")), range(100), window=64):
                    pass

        with Ledger.open(tmp_path / "l.sqlite") as ledger, pytest.raises(ModelRejected):
            await stage(ledger)
        await model.aclose()
    assert len(server.requests) == 1


@pytest.mark.reliability("round-trip")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_question_that_is_too_long_fails_alone_and_is_asked_once(kind: str, tmp_path: Path):
    """The others are answered."""

    def script(asked: Asked) -> Fault | None:
        return Fault.TOO_LONG if asked.text == "3" else None

    async with FaultServer(script) as server:
        model = model_at(server, kind)

        async def deed(number: int) -> bool:
            try:
                await ask(model, request(f"{number}"))
            except ModelRejected:
                return False
            return True

        with Ledger.open(tmp_path / "l.sqlite") as ledger:
            async with Stream(ledger, run="r", stage="s") as stream:
                answered = [result async for _, result in stream.map(deed, range(10), window=10)]
        await model.aclose()
    assert answered == [number != 3 for number in range(10)]
    assert len(server.requests) == 10


@pytest.mark.parametrize("kind", KINDS)
async def test_a_question_that_is_always_answered_with_nonsense_is_malformed_and_holds_up_nobody(
    kind: str, tmp_path: Path
):
    """Six tries, and the error says that it was not the network."""

    def script(asked: Asked) -> Fault | None:
        return Fault.NULL_CONTENT if asked.text == "3" else None

    async with FaultServer(script) as server:
        model = model_at(server, kind)

        async def deed(number: int) -> bool | None:
            try:
                await ask(model, request(f"{number}"))
            except ModelUnavailable as error:
                return error.malformed
            return None

        with Ledger.open(tmp_path / "l.sqlite") as ledger:
            async with Stream(ledger, run="r", stage="s", retries=QUICK) as stream:
                results = [result async for _, result in stream.map(deed, range(10), window=10)]
        await model.aclose()
    assert results == [True if number == 3 else None for number in range(10)]
    assert len(server.requests) == 9 + 6


RECIPE = """\
constitution: constitution.yaml
candidates: candidates.jsonl
label:
  kind: pairwise
  judge: {{kind: {kind}, model: {model}, base_url: "{url}", price: {{input: 1, output: 1}}, api_key_env: A_KEY}}
build: {{held_out: 0}}
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["endpoint", "openai", "anthropic", "litellm"])
async def test_solon_label_labels_everything_while_nearly_a_third_of_the_requests_fail(kind: str, tmp_path: Path):
    """100 prompts, 200 questions (both orders); the judge prefers the shorter answer, wherever it stands.

    At most 1.5 requests a judgment, and the second time none: everything is in the ledger.
    """
    made = small_project(tmp_path / "project")
    rows = [{"prompt": f"What is {n} + {n}?", "responses": [f"{2 * n}", f"It is {2 * n}"]} for n in range(100)]
    made.write("candidates.jsonl", jsonl(rows))

    def judge(asked: Asked) -> str:
        return "B" if asked.text.index("It is") < asked.text.rindex("B]") else "A"

    async with FaultServer(share=0.3, answer=judge, key="sk-canary-0123456789") as server:
        url = server.root if kind == "anthropic" else server.base_url
        model = "openai/served" if kind == "litellm" else "served"
        made.write("recipe.yaml", RECIPE.format(kind=kind, model=model, url=url))
        for _ in range(2):
            process = made.start("label", "recipe.yaml", environment={"A_KEY": "sk-canary-0123456789"})
            out, err = await asyncio.get_running_loop().run_in_executor(None, process.communicate)
            assert process.returncode == 0, out + err
            asked = len(server.requests)
    assert asked <= 1.5 * 200
    judgments = (made.run_dir / "judgments.jsonl").read_text()
    assert judgments.count('"kind":"scored"') + judgments.count('"kind": "scored"') == 200
    assert "canary" not in judgments + out + err
    for path in made.folder.rglob("*"):
        assert not path.is_file() or b"canary" not in path.read_bytes(), path
