"""What solon tests itself with, for your tests too: a server that fails on purpose, a clock that jumps, tiny models."""

from solon.testing.batch_formats import RowFault, ServedBatch
from solon.testing.batches import BatchServer, Trouble
from solon.testing.clock import VirtualClock
from solon.testing.faults import HEALING, Asked, Fault
from solon.testing.hub import HubServer
from solon.testing.hub_repositories import Trouble as HubTrouble
from solon.testing.server import FaultServer

__all__ = [
    "HEALING",
    "Asked",
    "BatchServer",
    "Fault",
    "FaultServer",
    "HubServer",
    "HubTrouble",
    "RowFault",
    "ServedBatch",
    "Trouble",
    "VirtualClock",
]
