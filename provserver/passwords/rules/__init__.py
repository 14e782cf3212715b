"""What may be in a password: one module per rule of the Password Profile, each a question about a text.

Pure but for the two lists (`dictionary`, `breached`), which read files. No module here knows the profile, or
what is told to whom: `passwords.quality` asks them, `passwords.reasons` has the words. Start at `repeats`.
"""
