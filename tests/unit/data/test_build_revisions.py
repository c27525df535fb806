"""Critique and revision become preferences and demonstrations, and what was not revised becomes neither."""

from __future__ import annotations

from build_cases import POLITE, asked, best, built, labels, pairs, revised, said, scores, share
from solon.data.records import Failed


def test_a_revision_is_preferred_to_what_it_revises_and_is_to_be_imitated():
    """By the principles of its rounds, each once; every revision of a prompt is a demonstration."""
    a, b = said("rude"), said("long")
    result = built([a, b], [revised(a, "kind", "polite", "brief", "polite"), revised(b, "short", "brief")])
    assert pairs(result) == [("kind", "rude", 1.0), ("short", "long", 1.0)]
    assert best(result) == ["kind", "short"]
    assert labels(result) == [("kind", True), ("rude", False), ("short", True), ("long", False)]
    assert scores(result) == []
    row = result.preference.train[0]
    assert (row.provenance.principles, row.provenance.labelers) == (("polite", "brief"), ("critique",))
    assert result.sft.train[0].provenance == row.provenance


def test_a_revision_that_changed_nothing_but_space_is_dropped():
    """A pair of equal texts teaches nothing, and neither is it an example of a revision."""
    a = said("kind")
    result = built([a], [revised(a, " kind\n", "polite")])
    assert (pairs(result), best(result)) == ([], [])
    assert (result.drops["preference"], result.drops["sft"]) == ({"unchanged": 1}, {"unchanged": 1})


def test_a_revision_that_was_cut_off_is_never_a_label():
    """Neither chosen nor imitated nor desirable."""
    a = said("rude")
    result = built([a], [revised(a, "kind and", "polite", stop="length")])
    assert (pairs(result), best(result), labels(result)) == ([], [], [])
    assert (result.drops["preference"], result.drops["sft"]) == ({"truncated": 1}, {"truncated": 1})


def test_a_revision_without_a_reply_is_a_failure_of_that_revision():
    """And not of a rating, which nobody asked for."""
    a, b = said("rude"), said("long")
    failed = asked(POLITE, b).judged(Failed(reason="refused"), labeler="critique")
    result = built([a, b], [revised(a, "kind", "polite"), failed])
    assert pairs(result) == [("kind", "rude", 1.0)]
    assert (result.drops["preference"], result.drops["sft"]) == ({"failed": 1}, {"failed": 1})
    assert result.drops["reward"] == {}


def test_equal_revisions_of_two_responses_are_one_demonstration():
    """Or frequent texts would weigh more than their share; half of a surrogate pair is no text."""
    a, b, c = said("rude"), said("long"), said("odd")
    result = built(
        [a, b, c], [revised(a, "kind", "polite"), revised(b, "kind", "brief"), revised(c, "\ud83d", "brief")]
    )
    assert pairs(result) == [("kind", "rude", 1.0), ("kind", "long", 1.0)]
    assert best(result) == ["kind"]
    assert result.drops["sft"] == {"duplicate": 1, "malformed": 1}


def test_ratings_beside_revisions_keep_their_rows():
    """Scores make reward rows; what is imitated is the revision."""
    a = said("rude")
    result = built([a], [revised(a, "kind", "polite"), share("rude", 0.2)])
    assert scores(result) == [("rude", 0.2)]
    assert best(result) == ["kind"]
