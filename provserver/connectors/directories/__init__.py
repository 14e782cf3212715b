"""LDAP directories as endpoints: one base, and a module per family of servers.

`line` is the line to one of a directory's servers; `base` locates accounts, sets their passwords, explores
them, and turns a server's words into failures (`meanings`); `standard` adds what all but Active Directory
share: RFC 3062 or a replaced attribute, and the wishes that go with a reset. A family derives from one of the
two. May import the client side of `ldap`, and `directory.names`. Start at `base`.
"""
