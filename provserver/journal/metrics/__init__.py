"""What the server counts and measures, for Prometheus: declared once, gathered when it is asked for.

`declared` is the list of metrics, `sources` where each comes from, `page` the HTTP side. Start at
`exposition`.
"""
