"""solon's contract for chat models, against a server on this machine."""

from solon_mymodel import MyModel

from solon.plugins.testing import ModelContract


class TestContract(ModelContract):
    """Every clause of models."""

    plugin = MyModel
