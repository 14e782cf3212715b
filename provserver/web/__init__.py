"""The console. Comes with a later release.

Uses the same use cases as `operations`, never the storage directly.
"""
