"""What happened, and who is told of it: events, the etatrans log, the access log, the journal as a file;
`metrics` and `alerts`.

May import the contract of `storage`, the leaves of `ldap`, `https` and `vault`. Start at `events`; for who
follows what is stored, at `watching`.
"""
