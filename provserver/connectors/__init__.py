"""The contract of an endpoint, and one module per kind of endpoint.

May import `ldap` (client side), `directory.names`, `vault`. Start at `contract`.
"""
