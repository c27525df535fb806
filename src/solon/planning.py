"""``solon plan``: what a recipe would ask of which model, and what that would cost at most."""

from __future__ import annotations

from dataclasses import dataclass

from solon.constitution.library import resolve
from solon.data.candidates import read_candidates
from solon.data.prompts import read_prompts
from solon.data.records import Constitution, Noun, Prompt, Usage
from solon.data.split import is_held_out
from solon.evaluation.agreement import Agreement
from solon.evaluation.base import Evaluator
from solon.evaluation.win_rate import WinRate
from solon.labelers.base import Labeler
from solon.labelers.prompt import principles_text, template
from solon.models.base import ChatModel
from solon.plugins.base import located
from solon.recipe import Evaluate, Opened, Recipe
from solon.stages.run import policy_model

CHARACTERS_A_TOKEN = 3.5
"""English prose has 4 to 4.5 characters a token with common tokenizers; estimates are meant to err upwards."""


class Row(Noun):
    """One model at one stage. Tokens are upper estimates; ``usd`` is ``None`` where the price is not known."""

    stage: str
    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    usd: float | None


class Plan(Noun):
    """What a recipe would cost at most. What the ledger holds already is not asked again and costs nothing."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def usd(self) -> float | None:
        """Dollars of all rows; ``None`` when a price is not known."""
        known = [row.usd for row in self.rows if row.usd is not None]
        return sum(known) if len(known) == len(self.rows) else None


@dataclass(frozen=True)
class _Responses:
    """What there is to judge: prompts, responses a prompt, and the tokens of the longest response."""

    prompts: list[Prompt]
    n: int
    longest: int


def plan_of(opened: Opened) -> Plan:
    """Counts requests and tokens from the prompts, the constitution and the settings. Loads no model, asks nobody.

    A recipe that begins at a dataset asks for nothing before it evaluates.
    """
    recipe = opened.recipe
    constitution = resolve(located(recipe.constitution))
    rows: list[Row] = []
    responses = _responses(recipe)
    if recipe.prompts is not None:
        rows.append(_sampled(recipe, responses))
    if recipe.label is not None:
        judged = responses.prompts
        rows += _judged("label", recipe.label, judged, responses.n, constitution, responses.longest)
    if recipe.evaluate is not None:
        rows += _evaluated(recipe, recipe.evaluate, responses, constitution)
    notes = [
        f"Tokens are upper estimates: {CHARACTERS_A_TOKEN} characters a token, completions as long as max_tokens.",
        "Replies that the ledger holds are not asked for again and cost nothing.",
    ]
    if recipe.max_usd is not None:
        notes.append(f"max_usd stops the run before it spends more than ${recipe.max_usd:,.2f}.")
    return Plan(rows=tuple(rows), notes=tuple(notes))


def _responses(recipe: Recipe) -> _Responses:
    longest = recipe.sample.max_tokens
    if recipe.prompts is not None:
        prompts = list(read_prompts(located(recipe.prompts), recipe.columns).prompts)
        return _Responses(prompts, recipe.sample.n, longest)
    if recipe.candidates is not None:
        given = read_candidates(located(recipe.candidates), recipe.columns).candidates
        texts = [one.text for candidates in given for one in candidates.completions]
        longest = max((tokens(text) for text in texts), default=longest)
        return _Responses([one.prompt for one in given], round(len(texts) / max(1, len(given))), longest)
    return _Responses([], 0, longest)


def _sampled(recipe: Recipe, responses: _Responses) -> Row:
    model = recipe.sample.model
    if model is None:
        assert recipe.policy is not None
        model = policy_model(recipe.policy)
    requests = len(responses.prompts) * responses.n
    asked = sum(tokens(prompt.text) for prompt in responses.prompts) * responses.n
    return _row("sample", model, requests, asked, requests * responses.longest)


def _evaluated(recipe: Recipe, plan: Evaluate, responses: _Responses, constitution: Constitution) -> list[Row]:
    assert recipe.policy is not None
    held_out = [one for one in responses.prompts if is_held_out(one, recipe.build.held_out, recipe.seed)]
    if plan.prompts is not None:
        held_out = list(read_prompts(located(plan.prompts), recipe.columns).prompts)
    longest = plan.max_tokens or recipe.sample.max_tokens
    decodings = {need for measure in plan.measures for need in measure.needs} or {"sample"}
    each = 2 * len(decodings)  # answers of the untrained and the trained policy
    asked = each * sum(tokens(prompt.text) for prompt in held_out)
    answers = each * len(held_out)
    rows = [_row("evaluate", policy_model(recipe.policy), answers, asked, answers * longest)]
    for measure in plan.measures:
        for labeler, prompts in _examined(measure, recipe.label, responses.prompts, held_out, responses.n):
            rows += _judged("evaluate", labeler, prompts, 2, constitution, longest)
    return rows


def tokens(text: str) -> int:
    """An upper estimate of the tokens of a text."""
    return int(len(text) / CHARACTERS_A_TOKEN) + 4


def _judged(
    stage: str, labeler: Labeler, prompts: list[Prompt], n: int, constitution: Constitution, completion: int
) -> list[Row]:
    principles = constitution.principles
    questions = labeler.expected_questions(n, len(principles)) * len(prompts)
    frame = tokens(template("pairwise_system") + template("pairwise_user"))
    if labeler.expected_questions(n, len(principles)) == labeler.expected_questions(n, 1):
        longest = tokens(principles_text(principles))  # perhaps all of them in one question
    else:
        longest = max(tokens(principles_text([principle])) for principle in principles)
    shown = sum(tokens(prompt.text) for prompt in prompts) / max(1, len(prompts))
    per_question = frame + longest + round(shown) + (labeler.options or n) * completion
    written = questions * labeler.longest_reply
    return [_row(stage, model, questions, questions * per_question, written) for model in labeler.models()]


def _examined(
    measure: Evaluator, label: Labeler | None, prompts: list[Prompt], held_out: list[Prompt], n: int
) -> list[tuple[Labeler, list[Prompt]]]:
    """The labelers that a measure asks, each with the prompts that it is asked about, two answers at a time."""
    if isinstance(measure, Agreement) and measure.other is not None and label is not None:
        # of a labeler that rates, every two completions are compared
        matches = label.expected_questions(n, 1) // 2 if label.options == 2 else n * (n - 1) // 2
        return [(measure.other, prompts * matches)]
    if isinstance(measure, WinRate) and measure.judge is None and label is not None:
        return [(label, held_out)]
    fields = (getattr(measure, name) for name in type(measure).model_fields)
    return [(value, held_out) for value in fields if isinstance(value, Labeler)]


def _row(stage: str, model: ChatModel, requests: int, input_tokens: int, output_tokens: int) -> Row:
    price = model.cost()
    usd = None if price is None else price.of(Usage(input_tokens=input_tokens, output_tokens=output_tokens))
    return Row(
        stage=stage,
        model=model.name,
        requests=requests,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        usd=usd,
    )
