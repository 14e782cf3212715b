"""One module per LDAP operation, and the chain they pass through.

May import `ldap`, `directory`, the contract of `storage`, `imps`, `passwords`, `delivery`, `exploration`,
`journal`, `vault`. Start at `chain`. A search is `search`; with controls, or where there are referrals or
aliases, `controlled`, which says what the modules beside it are for.
"""
