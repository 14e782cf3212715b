"""The open provisioning server for password synchronisation.

Start reading at `service` (how everything is put together), `operations` (what a request goes through)
and `passwords.exchange` (the reason the server exists). `docs/` tells people how to use it.
"""

__version__ = "0.1.0"
