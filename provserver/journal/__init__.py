"""What happened: events, the etatrans log, the access log.

May import the contract of `storage` and `vault`. Start at `events`.
"""
