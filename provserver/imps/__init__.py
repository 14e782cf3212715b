"""What makes a directory an IMPS: suffix views, namespaces, inclusions, config parameters, messages.

May import `directory`, the contract of `storage`, `vault`. Facts that are not public are rows and settings,
never constants. Start at `views` and `namespaces`.
"""
