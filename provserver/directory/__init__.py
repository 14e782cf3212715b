"""Names, entries, schema, matching, filters evaluated, LDIF and access rules.

Pure: no wire, no I/O, no clock. May import `ldap.filters`, `ldap.results` and `vault`.
Start at `names` and `entries`, then `schema`. How values compare: `preparation`, `comparables`, `matching`,
`rules`. How entries are written: `tree`, `values`, `classes`. How they are asked about: `filtering`,
`assertions`, `computed`.
"""
