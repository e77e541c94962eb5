"""The self-service page: people sign in, make keys of their own, and see what those come to."""
