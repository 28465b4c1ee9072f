"""`nautilus data`: what the catalog holds, the way in and out of it, and its upkeep.

Commands that only read (list, show, export, gaps, verify, join) take no lock and work while a node runs: files of the
catalog never change, they appear and are replaced whole. Those that write (import, compact, prune) need the directory
to themselves and say which process has it. Exit codes: 0 done, 1 refused or damaged, 2 wrong usage, 3 gaps were found
and --fail was given. Tables and rows go to standard output, everything else to standard error.
"""

import click

from nautilus.data_commands import reading, writing

__all__ = ["data"]


@click.group()
def data() -> None:
    """Look into the catalog of market data, fill it and tend it."""


for _command in (*reading.COMMANDS, *writing.COMMANDS):
    data.add_command(_command)
