"""SFTP by asyncssh, over the jail, the rights and the ledger that every protocol shares."""
