"""The schema as RFC 4512 text, one file per namespace; installed as package data."""
