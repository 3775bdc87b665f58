"""The demo institution: invented people and courses, sent by a real SFTP client."""
