"""provserver init | load | dump | serve | demo | passwd.

May import everything. Start at `main`.
"""
