"""A stand-in for the Inference Service, for the demo and for tests."""

from ai_gateway.simulator.endpoints import endpoints, variables
from ai_gateway.simulator.server import Simulator

__all__ = ["Simulator", "endpoints", "variables"]
