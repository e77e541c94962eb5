"""What a running gateway shows of itself: log lines, access lines, gauges, traces."""
