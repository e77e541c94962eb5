"""Upstreams: the one package that speaks HTTP to model endpoints and proxied targets."""
