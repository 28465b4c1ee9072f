"""Stand-ins for the servers of others, on loopback."""
