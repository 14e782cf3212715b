"""Other services called over HTTP(S): the external password policy, whoever is told by webhooks, endpoints.

May import `ldap.trust` and `vault`. `lines` carries a request, `causes` says in our words why there is no
answer, `signing` is what both sides know. Nothing that comes from there is trusted, shown or followed.
"""
