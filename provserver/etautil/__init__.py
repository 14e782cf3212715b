"""`etautil`: control statements, and the requests that they are.

Text goes one way: `words` (tokens with positions), `grammar` (statements), `planning` (requests), all of them
pure; then `performing` and `masschange` send, `telling` shows. `command` puts it together. A pure client:
may import `ldap` (client side), `directory`, `vault`; never the server's own packages. Source of the
grammar: facts/imps.md 4; what is ours is marked in docs/use-etautil.md.
"""
