"""Sampling: n completions a prompt, each with a seed of its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from solon.data.artifacts import writing_jsonl
from solon.data.records import Candidates, Completion, Prompt, Usage, digest
from solon.errors import ModelUnavailable, PromptTooLong, StageIncomplete
from solon.loops import run_to_end
from solon.models.base import ChatModel, Price, Reply, Request
from solon.plugins.base import effects_of
from solon.stages.run import Run, Stage, policy_model, stage
from solon.stream import ask
from solon.stream.window import window

UNAVAILABLE, TOO_LONG = "unavailable", "prompt too long"
"""Why a completion is missing."""


def sample(run: Run) -> None:
    """Writes ``candidates.jsonl``: every prompt with its completions.

    Raises:
        StageIncomplete: more completions are missing than ``max_failed`` allows.
    """
    recipe = run.recipe
    prompts = run.training_prompts()
    model = sampled_model(run)
    inputs = {
        "prompts": [prompt.id for prompt in prompts.prompts],
        "model": effects_of(model),
        "seed": recipe.seed,
        **recipe.sample.model_dump(exclude={"model"}),
    }
    again = run.directory.summary("sample").get("missing", {}).get(UNAVAILABLE, 0) > 0
    with stage(run, "sample", inputs, needs=[model], again=again) as work:
        if work is not None:
            work.summary["duplicates"] = prompts.duplicates
            run_to_end(_sample(run, work, prompts.prompts, model))


def sampled_model(run: Run) -> ChatModel:
    """What is sampled: the recipe's own choice, or the policy."""
    if run.recipe.sample.model is not None:
        return run.recipe.sample.model
    assert run.recipe.policy is not None
    return policy_model(run.recipe.policy)


async def _sample(run: Run, work: Stage, prompts: Sequence[Prompt], model: ChatModel) -> None:
    settings = run.recipe.sample
    missing: Counter[str] = Counter()
    usage, completions = Usage(), 0
    price = model.cost() or Price(input=0, output=0)

    async def draw(prompt: Prompt) -> tuple[Completion | str, ...]:
        return tuple(
            await asyncio.gather(
                *(
                    complete(
                        model,
                        prompt,
                        temperature=settings.temperature,
                        top_p=settings.top_p,
                        max_tokens=settings.max_tokens,
                        seed=seed_of(run.recipe.seed, prompt, number),
                    )
                    for number in range(settings.n)
                )
            )
        )

    with (
        writing_jsonl(work.file("candidates.jsonl")) as write,
        run.progress.stage("sample", len(prompts) * settings.n, "completions") as bar,
    ):
        async with run.stream("sample", model) as stream:
            async for prompt, drawn in stream.map(draw, prompts, window=window(model)):
                got = tuple(one for one in drawn if isinstance(one, Completion))
                missing.update(one for one in drawn if isinstance(one, str))
                completions += len(got)
                usage = sum((one.usage for one in got), usage)
                write(Candidates(prompt=prompt, completions=got, missing=len(drawn) - len(got)))
                bar.advance(len(drawn), failed=len(drawn) - len(got), usd=sum(price.of(one.usage) for one in got))
    lost = missing.total()
    if lost > run.recipe.max_failed * (completions + lost):
        raise StageIncomplete(
            f"{lost} of {completions + lost} completions are missing ({reasons(missing)}), more than max_failed "
            f"{run.recipe.max_failed:.0%} allows. Those that came are in the ledger; {remedies(missing)}"
        )
    work.summary.update(
        prompts=len(prompts),
        completions=completions,
        missing=dict(sorted(missing.items())),
        model=model.name,
        usage=usage.model_dump(),
        cost_usd=round(price.of(usage), 6),
    )


async def complete(
    model: ChatModel, prompt: Prompt, *, temperature: float, top_p: float, max_tokens: int, seed: int
) -> Completion | str:
    """One completion, or why there is none."""
    request = Request(messages=prompt.messages, temperature=temperature, top_p=top_p, max_tokens=max_tokens, seed=seed)
    try:
        reply: Reply = await ask(model, request)
    except ModelUnavailable:
        return UNAVAILABLE
    except PromptTooLong:
        return TOO_LONG
    return Completion(
        text=reply.text,
        model=model.name,
        seed=seed,
        temperature=temperature,
        top_p=top_p,
        stop=reply.stop,
        usage=reply.usage,
    )


def reasons(missing: Mapping[str, int]) -> str:
    """Why there is no completion, each reason with how often."""
    return ", ".join(f"{reason} {count:,}" for reason, count in sorted(missing.items()))


def remedies(missing: Mapping[str, int]) -> str:
    """What to do about it: asking again helps only where the model was unavailable."""
    found = []
    if missing.get(TOO_LONG):
        found.append("lower max_tokens or shorten the prompts, which together pass the model's context")
    if missing.get(UNAVAILABLE):
        found.append("run again to ask for what was unavailable")
    return "; ".join(found)


def seed_of(seed: int, prompt: Prompt, number: int) -> int:
    """The seed of the ``number``-th completion of a prompt: depends on nothing but the recipe's seed and the prompt."""
    return int(digest([seed, prompt.id, number])[:8], 16) & 0x7FFFFFFF
