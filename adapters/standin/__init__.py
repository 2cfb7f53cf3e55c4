"""A local stand-in for AWS, strict about every S3 precondition, for the demo and the tests."""

from adapters.standin.faults import Fault, FaultKind, FaultMoment
from adapters.standin.process import StandIn, StandInError, running_standin

__all__ = ["Fault", "FaultKind", "FaultMoment", "StandIn", "StandInError", "running_standin"]
