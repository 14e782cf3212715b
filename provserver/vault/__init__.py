"""The type that holds a password, sealing, the key ring.

Imports nothing of ours; every package may import it. Start at `secret`.
"""
