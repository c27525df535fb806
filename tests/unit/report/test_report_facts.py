"""Facts about data and cost."""

from __future__ import annotations

from solon.report.facts import data_facts
from solon.report.summary import summarise


def test_a_run_that_was_given_its_completions_says_so(make_run, record):
    """It sampled none, and the label stage counted what it was given."""
    del record["stages"]["sample"]
    record["stages"]["label"]["summary"] |= {"prompts": 400, "duplicates": 1}
    facts = [(fact.name, fact.text) for fact in data_facts(summarise(make_run(run=record)))]
    assert facts[0] == ("given", "400 prompts with their completions; 1 duplicate dropped")


def test_one_prompt_has_its_completions(make_run, record):
    """In good English."""
    del record["stages"]["sample"]
    record["stages"]["label"]["summary"] |= {"prompts": 1, "duplicates": 0}
    assert data_facts(summarise(make_run(run=record)))[0].text == "1 prompt with its completions"


def test_a_run_that_sampled_them_was_given_none(run_dir):
    """Its prompts are told by the sampling stage."""
    assert [fact.name for fact in data_facts(summarise(run_dir))] == ["sampled", "built", "dropped", "dropped"]
