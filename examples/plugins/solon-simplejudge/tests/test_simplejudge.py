"""solon's contract for labelers."""

from solon_simplejudge import SimpleJudge

from solon.plugins.testing import LabelerContract


class TestContract(LabelerContract):
    """Every clause of labelers."""

    plugin = SimpleJudge
