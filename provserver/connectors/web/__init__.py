"""Web services as endpoints: `scim` (SCIM 2.0), and `https` (a call by a template).

Both are a `base`: a line that is looked at before it is used. `place` says where a service is and how the
line is protected, `calling` makes one call, `login` says who we are, `failures` what an answer means,
`template` what stands in for an account's places. May import `provserver.https`, which carries the calls.
"""
