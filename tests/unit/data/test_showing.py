"""How records and settings look: short, and inert whatever they hold."""

from __future__ import annotations

import pytest

from solon.api.metrics import Metrics
from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    Judgment,
    Metric,
    Preference,
    Principle,
    Prompt,
    Provenance,
    Question,
    Rating,
    Scored,
)
from solon.data.showing import html_text, text_table
from solon.labelers.rules import Rules
from solon.trainers.dpo import DPO

HOSTILE = '<script>alert("x")</script>\x1b[2J\x07 $\\href{x}{y}$'
PROMPT = Prompt.of("What is 2 + 2?", topic="sums")
GOOD, BAD = Completion(text="4", model="tiny"), Completion(text="It is 4, I think.", model="tiny")
PRINCIPLE = Principle(id="brief", text="Be brief.")
CONSTITUTION = Constitution(name="brief", principles=(PRINCIPLE,))
PROVENANCE = Provenance(prompt_id=PROMPT.id)


@pytest.mark.parametrize(
    ("record", "line"),
    [
        pytest.param(PROMPT, "Prompt('What is 2 + 2?', topic='sums')", id="prompt"),
        pytest.param(GOOD, "Completion('4', model='tiny')", id="completion"),
        pytest.param(
            Candidates(prompt=PROMPT, completions=(GOOD, BAD), missing=1),
            "Candidates('What is 2 + 2?', 2 completions, 1 missing)",
            id="candidates",
        ),
        pytest.param(CONSTITUTION, "Constitution('brief', version='1', principles=(brief,))", id="constitution"),
        pytest.param(PRINCIPLE, "Principle(id='brief', text='Be brief.')", id="principle"),
        pytest.param(
            Question(prompt=PROMPT, options=(GOOD,)).judged(Scored(scores=(1.0,)), labeler="rules"),
            f"Judgment(Scored(scores=(1.0,)), labeler='rules', principles=(), prompt='{PROMPT.id}', "
            f"options=('{GOOD.id}',))",
            id="judgment",
        ),
        pytest.param(
            Preference(prompt=PROMPT, chosen="4", rejected="5", margin=0.5, provenance=PROVENANCE),
            "Preference(prompt=Prompt('What is 2 + 2?', topic='sums'), chosen='4', rejected='5', margin=0.5)",
            id="preference",
        ),
        pytest.param(
            Rating(prompt=PROMPT, completion="4", desirable=True, provenance=PROVENANCE),
            "Rating(prompt=Prompt('What is 2 + 2?', topic='sums'), completion='4', desirable=True)",
            id="rating",
        ),
        pytest.param(
            Metric(name="compliance", of="after", value=0.96, low=0.94, high=0.97, n=600, failed=2, p_value=1e-4),
            "Metric(compliance, after: 0.96 [0.94, 0.97] share, n=600, 2 failed, p=0.0001)",
            id="metric",
        ),
        pytest.param(DPO(beta=0.2), "DPO(beta=0.2)", id="trainer"),
        pytest.param(DPO(), "DPO()", id="trainer as it is by default"),
    ],
)
def test_the_line_of_a_noun_says_what_is_looked_for_first(record: object, line: str) -> None:
    """The last line of a cell is read by a person."""
    assert repr(record) == line


def test_a_long_text_is_cut_and_a_long_list_counted() -> None:
    """A completion of two thousand words is no line."""
    assert len(repr(Prompt.of("very long " * 1000))) < 120
    many = Constitution(name="many", principles=tuple(Principle(id=f"p{n}", text="Be.") for n in range(20)))
    assert repr(many) == "Constitution('many', version='1', principles=<20 items>)"


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(Prompt.of(HOSTILE), id="prompt"),
        pytest.param(
            Candidates(prompt=Prompt.of(HOSTILE), completions=(Completion(text=HOSTILE, model=HOSTILE),)),
            id="candidates",
        ),
        pytest.param(
            Preference(prompt=Prompt.of(HOSTILE), chosen=HOSTILE, rejected=HOSTILE, provenance=PROVENANCE),
            id="preference",
        ),
        pytest.param(
            Constitution(name=HOSTILE, principles=(Principle(id="p", text=HOSTILE, topics=(HOSTILE,)),)),
            id="constitution",
        ),
        pytest.param(
            Judgment(
                prompt="0",
                principles=(),
                options=("1",),
                labeler=HOSTILE,
                outcome=Failed(reason="unparseable", raw=HOSTILE),
                rationale=HOSTILE,
            ),
            id="judgment",
        ),
        pytest.param(Metric(name=HOSTILE, of="after", value=0, low=0, high=0, n=1), id="metric"),
        pytest.param(
            Metrics([Metric(name=HOSTILE, of="after", value=0, low=0, high=0, n=1)]),
            id="metrics",
        ),
        pytest.param(Rules(rules={"r": {"forbidden": [HOSTILE]}}), id="labeler"),  # type: ignore[dict-item]
    ],
)
def test_hostile_texts_are_inert_in_lines_and_tables(record: object) -> None:
    """A model may write markup, terminal escapes and formulas; a notebook must show them and do nothing."""
    assert "\x1b" not in repr(record)
    assert "\x07" not in repr(record)
    html = getattr(record, "_repr_html_", lambda: None)() or ""
    assert "<script" not in html
    assert "\x1b" not in html
    assert "\x07" not in html
    assert "$" not in html  # what a notebook typesets


def test_a_table_of_candidates_holds_every_response() -> None:
    """The HTML is for reading side by side."""
    html = Candidates(prompt=PROMPT, completions=(GOOD, BAD))._repr_html_()
    assert html is not None
    assert "<td>4</td>" in html
    assert "<td>It is 4, I think.</td>" in html


def test_what_has_no_table_is_shown_by_its_line() -> None:
    """IPython falls back on the repr where there is no HTML."""
    assert PROMPT._repr_html_() is None


def test_lines_of_a_text_stay_lines_in_html() -> None:
    """Code and lists would be unreadable otherwise."""
    assert html_text("a\nb <i>") == "a<br>b &lt;i&gt;"


def test_looking_at_a_record_changes_nothing_of_it() -> None:
    """Its id is the hash of its content, which is in every ledger by now."""
    before = Prompt.of("x").model_dump_json()
    record = Prompt.of("x")
    repr(record)
    assert record.model_dump_json() == before
    assert record.id == Prompt.of("x").id


def test_a_text_table_lines_its_columns_up() -> None:
    """What a terminal shows of metrics."""
    assert text_table(("a", "bbb"), [("long", 1), ("x", "y")]) == "a     bbb\nlong  1\nx     y"
