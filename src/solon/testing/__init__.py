"""What solon tests itself with, for your tests too: a server that fails on purpose, a clock that jumps, tiny models."""

from solon.testing.clock import VirtualClock
from solon.testing.faults import HEALING, Asked, Fault, FaultServer

__all__ = ["HEALING", "Asked", "Fault", "FaultServer", "VirtualClock"]
