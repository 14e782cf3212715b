"""Exploring an endpoint: its accounts into the tree, joined to their global users, users made for the others.

Start with `explorer` (one exploration, page by page) and `explorations` (who may begin one, and what it came
to). What an endpoint's account is called here and holds is in `places` and `mapping`; whose it is, in
`correlation`. `checking` finds inclusions that join nothing any more.

May import `directory`, the contracts of `storage` and `connectors`, `imps`, `journal`, `vault`.
"""
