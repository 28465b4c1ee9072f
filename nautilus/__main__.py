"""`python -m nautilus` is the command line."""

from nautilus.cli import main

main()
