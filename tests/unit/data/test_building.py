"""Datasets of any size: made conversation by conversation from disk, the same whatever the order of the prompts."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build_cases import CONSTITUTION, POLITE, SAFE
from solon.data.build import Build, build
from solon.data.building import building
from solon.data.cards import Facts
from solon.data.layout import write_datasets
from solon.data.records import Candidates, Completion, Judgment, Prompt, Provenance, Question, Scored

KINDS = ("compare", "rank", "rate", "logit")


def case(number: int, how: str, scores: list[float], topic: str | None = None) -> tuple[Candidates, list[Judgment]]:
    """A prompt whose three responses were judged in one way, under a soft and a hard principle by turns."""
    prompt = Prompt.of(f"Question {number % 5}", topic=topic)
    options = tuple(Completion(text=f"r{n}", model="policy", seed=n) for n in range(3))
    judgments = []
    for principle in (POLITE, SAFE)[: 1 + number % 2]:
        if how == "compare":
            question = Question(prompt=prompt, principles=(principle,), options=options[:2])
            p = scores[0]
            judgments.append(question.judged(Scored(scores=(p, 1 - p)), labeler=how))
            judgments.append(question.reversed().judged(Scored(scores=(1 - p, p)), labeler=how))
        elif how == "rank":
            question = Question(prompt=prompt, principles=(principle,), options=options)
            judgments.append(question.judged(Scored(scores=tuple(scores)), labeler=how))
        else:
            for option, score in zip(options, scores, strict=True):
                question = Question(prompt=prompt, principles=(principle,), options=(option,))
                scored = Scored(scores=(score,), scale="logit" if how == "logit" else "share")
                judgments.append(question.judged(scored, labeler=how))
    return Candidates(prompt=prompt, completions=options), judgments


SCORES = st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]), min_size=3, max_size=3)


@settings(deadline=None, derandomize=True, database=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), SCORES), min_size=1, max_size=8),
    st.integers(0, 2**16),
    st.sampled_from(["best_against_rest", "all"]),
    st.sampled_from(["score", "quantile"]),
)
def test_the_order_of_the_prompts_changes_no_row_of_any_prompt(judged, shuffle, pairs, by):
    """Conversations keep their rows when prompts and judgments are read in another order; only their places change."""
    # prompts of one conversation stay together: which of two equal texts is the duplicate is a matter of their order
    cases = [case(number, how, scores) for number, (how, scores) in enumerate(judged[:5])]
    cases += [case(number, how, scores, topic="talk") for number, (how, scores) in enumerate(judged[5:])]
    build_settings = Build(held_out=0.4, pairs=pairs, desirable_by=by, undesirable_at=0.3)

    def rows(order: list[tuple[Candidates, list[Judgment]]], mix: bool) -> dict[str, list[str]]:
        whose = [some for _, some in order for _ in some]
        if mix:  # judgments of different prompts between each other, in their order within a prompt
            Random(shuffle).shuffle(whose)
        left = {id(some): iter(some) for _, some in order}
        judgments = [next(left[id(some)]) for some in whose]
        built = build([one for one, _ in order], judgments, CONSTITUTION, build_settings, seed=1)
        found: dict[str, list[str]] = {}
        for kind, side, row in built.made():
            found.setdefault(f"{kind} {side} {row.prompt.text}", []).append(row.id)
        found["drops"] = [str(built.drops)]
        return found

    shuffled = list(cases)
    Random(shuffle).shuffle(shuffled)
    shuffled.sort(key=lambda one: one[0].prompt.topic is not None)
    assert rows(shuffled, mix=True) == rows(cases, mix=False)


def test_from_disk_the_rows_are_those_from_memory_in_their_order(tmp_path):
    """The stage uses the disk, and the tests the memory."""
    cases = [case(number, KINDS[number % 4], [1.0, 0.5, 0.2], topic=str(number)) for number in range(9)]
    candidates = [one for one, _ in cases]
    judgments = [judgment for _, some in cases for judgment in some]
    chosen = Build(held_out=0.4)
    with building(CONSTITUTION, chosen, 0, index=tmp_path / "index") as datasets:
        datasets.take(iter(candidates), iter(judgments))
        streamed = list(datasets.made())
        assert list(datasets.made()) == streamed
        counts = datasets.counted()
        assert (datasets.labelers, datasets.policies) == (("compare", "rank", "rate", "logit"), ("policy",))
    built = build(candidates, judgments, CONSTITUTION, chosen, seed=0)
    assert sorted(map(str, streamed)) == sorted(map(str, built.made()))
    for kind, rows in built.splits().items():
        assert tuple(row for of, side, row in streamed if (of, side) == (kind, "train")) == rows.train
    assert counts == built.counted()
    assert not (tmp_path / "index").exists()


def test_a_row_says_which_of_several_prompts_of_a_conversation_it_comes_from(tmp_path):
    """Two topics, one conversation: split and sifted together, each row with its own prompt."""
    one, two = case(0, "rate", [1.0, 0.5, 0.0], topic="a"), case(0, "compare", [1.0, 0.0, 0.0], topic="b")
    built = build([one[0], two[0]], [*one[1], *two[1]], CONSTITUTION, Build(held_out=0), seed=0)
    rows = [(row.chosen, row.rejected, row.provenance) for row in built.preference.train]
    rated = Provenance(prompt_id=one[0].prompt.id, labelers=("rate",), principles=("polite",))
    assert rows == [("r0", "r1", rated), ("r0", "r2", rated)]
    assert built.drops["preference"] == {"duplicate": 1}


def many(prompts: int) -> Iterator[tuple[Candidates, list[Judgment]]]:
    for number in range(prompts):
        prompt = Prompt.of(f"Question {number}? " + "Say all you know. " * 20)
        options = tuple(Completion(text=f"{seed} " * 100, model="policy", seed=seed) for seed in range(2))
        questions = [Question(prompt=prompt, principles=(POLITE,), options=(option,)) for option in options]
        judgments = [q.judged(Scored(scores=(s,)), labeler="rate") for q, s in zip(questions, (1.0, 0.0), strict=True)]
        yield Candidates(prompt=prompt, completions=options), judgments


@pytest.mark.slow
def test_building_holds_no_more_of_many_prompts_than_of_some(tmp_path: Path) -> None:
    """Twice as many, beyond the first row groups: the same memory, but for a tenth."""
    peaks = []
    facts = Facts(CONSTITUTION, (), (), "prompts.jsonl", Build(), seed=0)
    for prompts in (2_500, 5_000):
        out = tmp_path / str(prompts)
        given_to_it = list(many(prompts))
        assert len({one.prompt.id for one, _ in given_to_it}) == prompts  # records keep their ids once they are asked
        tracemalloc.start()
        with building(CONSTITUTION, Build(), 0, index=tmp_path / "index") as datasets:
            datasets.take((one for one, _ in given_to_it), (each for _, some in given_to_it for each in some))
            write_datasets(datasets, out, facts)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        rows = [pq.read_metadata(out / "preference" / f"{side}.parquet").num_rows for side in ("train", "test")]
        assert sum(rows) == prompts
    assert peaks[1] < 1.1 * peaks[0]
