"""The server that hosts a WSGI application: bodies under a deadline, threads, a graceful stop."""
