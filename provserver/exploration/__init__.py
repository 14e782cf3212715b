"""Exploring an endpoint, correlating its accounts, creating users. Comes with a later release.

May import `directory`, the contracts of `storage` and `connectors`, `imps`, `journal`, `vault`.
"""
