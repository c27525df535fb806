"""solon's contract for trainers: it trains a tiny model, is killed, and goes on."""

from solon_rloo_lite import RLOOLite

from solon.plugins.testing import TrainerContract


class TestContract(TrainerContract):
    """Every clause of trainers."""

    plugin = RLOOLite
