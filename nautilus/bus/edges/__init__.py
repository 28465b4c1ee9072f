"""Where the bus meets other processes: one edge for each channel, each to a Redis server of its own."""
