"""Who is told that something is wrong, and how: rules over events and conditions, webhooks, mail.

May import what `journal` may, and `https`. `rules`, `cooling` and `forms` are pure; `conditions` watch what
no single event says; `channel` is one recipient with its queue, `webhook` and `mail` are ways. Start at
`desk`.
"""
