"""The type that holds a password, how one is hashed and written down, sealing, the key ring.

Imports nothing of ours; every package may import it. Start at `secret`.
"""
