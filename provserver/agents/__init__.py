"""The other end of the line: what stands on an endpoint and reports its password changes.

`psync-agent` (start at `command`): a conf file (`keys`, `reading`), a blocking line to a server (`line`), the
two or four requests (`desk`, `asking`), a spool for what no server has taken (`spool`, `flushing`). It starts
in some hundredths of a second: nothing of it imports Twisted or ldaptor, and tests/agents sees to that.
`psync` is the same conversation on an asynchronous line, for the demo.

May import `ldap` (client side), `directory`, `vault`; never the server's own packages.
"""
