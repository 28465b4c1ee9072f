"""Every figure that the README quotes, each printed by one command. `make bench` runs them all."""
