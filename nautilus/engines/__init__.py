"""The engines: thirteen packages of one shape, and whatever the entry point group `nautilus.engines` adds."""
