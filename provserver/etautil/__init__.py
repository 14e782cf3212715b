"""The grammar of etautil and its command. Comes with a later release.

May import `ldap` (client side), `directory`, `vault`; never the server's own packages.
"""
