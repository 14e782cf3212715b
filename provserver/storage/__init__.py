"""The contract of a durable store, and the engines that keep it.

May import `directory` and `vault`. Start at `contract`: it is what the rest of the house knows; `sqlite` is
one engine. `tests/contract` is the suite that every engine passes.
"""
