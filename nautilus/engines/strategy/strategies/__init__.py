"""Strategies that come with Nautilus, each a complete example."""
