"""Telling people by mail: an outbox of notices, one summary a tenant, sent and tried again.

A notice is a row made in the transaction of what it tells of (`outbox`). When a tenant has been
quiet for a while, its notices become one mail for each person who wants some of them (`audience`,
`summary`); the mails are rows too, claimed and sent one by one (`sending`). No import ever waits
for a mail server.
"""
