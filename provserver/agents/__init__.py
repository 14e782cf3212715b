"""The other end of the line: the PSYNC agent.

May import `ldap` (client side), `directory`, `vault`; never the server's own packages.
"""
