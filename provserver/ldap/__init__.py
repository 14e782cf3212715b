"""The wire: bytes <-> typed messages, without I/O, and the Twisted server and client around them.

Knows no directory: nothing here can tell an account from a container. Imports only `vault`.
Start at `messages` (what is said), then `codec` (how it looks in bytes), `session` (framing and state),
`connection` (Twisted), and before it `doors` (who is let in) and `tls`.
"""
