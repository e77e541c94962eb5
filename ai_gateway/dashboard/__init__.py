"""What the dashboard shows and to whom. The page itself is dashboard.py."""
