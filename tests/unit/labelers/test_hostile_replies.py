"""Every reply of our corpus goes through the labeler that asks for its form: no crash, no silently wrong label."""

from collections.abc import Callable

import pytest

from hostile_replies import Form, Said, corpus
from solon.data.records import Completion, Failed, Judgment, Principle, Prompt, Question, Scored
from solon.labelers.base import Labeler
from solon.labelers.pairwise import Pairwise
from solon.labelers.ranking import RankingJudge
from solon.labelers.rating import RatingJudge
from solon.models.scripted import Scripted
from solon.stream import Stream

CORPUS = corpus()
PRINCIPLE = Principle(id="p", text="Be good.")
OPTIONS = tuple(Completion(text=f"response {n}", model="m") for n in range(4))


def labeler(said: Said) -> Labeler:
    """Asks in the form of the reply, and gets it."""
    judge = Scripted(default=said.text)
    match said.form:
        case "letter":
            return Pairwise(judge=judge, answer="text")
        case "number":
            return RatingJudge(judge=judge, answer="text")
        case "ranking":
            return RankingJudge(judge=judge, answer="text", orders=1)
        case "json":
            return Pairwise(judge=judge, answer="json", reasoning=True)


def shown(form: Form) -> int:
    return {"letter": 2, "number": 1, "ranking": 4, "json": 2}[form]


def read(said: Said, judgment: Judgment) -> str | None:
    """The label that came of it, in the words of the corpus; a ranking from its only vote."""
    outcome = judgment.votes[0].outcome if said.form == "ranking" else judgment.outcome
    match outcome:
        case Failed(raw=raw):
            assert raw == said.text  # whoever looks into it sees all that was said
            return None
        case Scored(scores=scores):
            if said.form in ("letter", "json"):
                return {(1.0, 0.0): "A", (0.0, 1.0): "B"}[scores]
            if said.form == "number":
                return str(round(1 + 4 * scores[0]))
            placed = sorted(range(4), key=lambda place: -scores[place])
            return " > ".join("ABCD"[place] for place in placed)
        case _:
            raise AssertionError(outcome)


def test_the_corpus_holds_more_than_a_thousand_replies_without_a_verdict() -> None:
    """The peers that were measured mislabel 83 to 340 of 1,000."""
    assert sum(said.truth is None for said in CORPUS) > 1_000


@pytest.mark.slow
@pytest.mark.reliability("verdicts")
async def test_no_reply_of_the_corpus_becomes_a_wrong_label(figure: Callable[[str], None]) -> None:
    """What holds a verdict in the asked form gives that one, and nothing else gives any."""
    wrong, silently, none, forms = [], 0, 0, set()
    for said in CORPUS:
        async with Stream(None, run="corpus", stage="label"):  # of its own: each reply is another judge's
            question = Question(prompt=Prompt.of("p"), principles=(PRINCIPLE,), options=OPTIONS[: shown(said.form)])
            found = read(said, await labeler(said).label(question))
        forms.add(said.form)
        none += said.truth is None
        if found != said.truth:
            wrong.append((said.text[:200], said.truth, found))
            silently += found is not None
    figure(f"{silently} of {len(CORPUS):,}, {none:,} of them without a verdict, in {len(forms)} forms of reply")
    assert wrong == []
