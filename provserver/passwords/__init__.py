"""A password under test: gates, echo guard, policy, history, hashing; test and sync.

May import `directory`, the contracts of `storage` and `connectors`, `imps`, `delivery`, `journal`, `vault`.
Start at `exchange`.
"""
