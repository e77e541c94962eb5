"""A stand-in for the Inference Service, for the demo and for tests."""
