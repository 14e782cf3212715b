"""LDIF that ships: the base tree, the demo domain; installed as package data."""
