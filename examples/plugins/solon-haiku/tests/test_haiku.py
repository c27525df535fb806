"""solon's contracts for constitutions and evaluators, and the syllables."""

from solon_haiku import Haiku, haiku, syllables

from solon.plugins.testing import ConstitutionContract, EvaluatorContract


class TestConstitution(ConstitutionContract):
    """Every clause of constitutions."""

    constitution = staticmethod(haiku)


class TestEvaluator(EvaluatorContract):
    """Every clause of evaluators."""

    plugin = Haiku


def test_lines_have_the_syllables_that_people_count() -> None:
    """Of a haiku that everybody knows."""
    assert list(map(syllables, ("An old silent pond", "A frog jumps into the pond", "Splash! Silence again"))) == [
        5,
        7,
        5,
    ]
