"""The demo institution: invented people and courses, sent by an SFTP client."""
