"""What people say of requests: ``POST /feedback`` writes it, the operating points read it."""
