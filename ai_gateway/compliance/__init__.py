"""Compliance: how long rows are kept, whose are erased or given out, and what was promised."""
