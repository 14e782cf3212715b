"""The parts of the connectors' kit, by what they ask: `provserver.testing.connector_contract` puts them
together, and is what a connector's tests import.

May import the contract of connectors, never a connector. Start at `asked`.
"""
