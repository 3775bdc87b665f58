"""Notices to people by mail: an outbox, one summary for each person, sending with retries.

A notice is a row that is written in the transaction of what it reports (`outbox`). When a tenant
has been quiet for a while, its notices become one mail for each person who wants some of them
(`audience`, `summary`); the mails are rows too, claimed and sent one by one (`sending`). No import
ever waits for a mail server.
"""
