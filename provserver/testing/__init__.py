"""What users import in their tests: a server fixture, endpoints that break on command, a clock to turn.

May import everything; nobody but tests imports it. Start at `server`.
"""
