"""What is below `cn=monitor`: the outbox and the endpoints, as entries that are made when they are asked for.

Administrators only. Start at `tree`; each branch of it is a module.
"""
