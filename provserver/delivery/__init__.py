"""A password on its way: plan, outbox, couriers, retry.

May import the contracts of `storage` and `connectors`, `imps`, `journal`, `vault`. Start at `couriers`.
"""
