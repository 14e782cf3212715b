"""Endpoints that are a file: delimited text, fixed width, attribute-value pairs, LDIF, DSML.

A layout finds the accounts in a text and where each keeps its password; only that place is written, and
every other octet of the file stays. `replacing` puts the new file in the place of the old
one. Start at `connector`.
"""
