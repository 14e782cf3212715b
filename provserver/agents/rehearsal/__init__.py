"""`psync-agent rehearse`: many agents at once, so that a site knows what its server bears, how long a change
takes to the last account, and what Agent Response Threshold is safe.

Start at `command`. Who plays (`cast`), when (`pace`), what is said (`conversation`), with which passwords
(`passwords`); `playing` has the agents, one thread each, `watching` sees passwords arrive, `tally` counts
both into `spread`s, `stage` has it all at once; `advice` says what follows, `report` and `picture` show it.

May import what `agents` may. Nothing of it is loaded by the commands that hooks call.
"""
