"""The external password policy on the wire: the IM server's role, asked over HTTP(S), outside any queue.

May import `passwords.opinions` (what is asked and answered, and how the exchange carries it), `https`,
`vault`. `forms` and `places` are pure; `calling` is one call to one place. Start at `asking`. The
form of it all is ours, because IMPS's is not public: docs/reference/external-policy.openapi.yaml.
"""
