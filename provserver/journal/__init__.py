"""What happened: events, and the etatrans log.

May import the contract of `storage` and `vault`. Start at `events`.
"""
