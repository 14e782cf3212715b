"""Endpoints that live in this process: the demo's, the benchmark's, a lab's, and those that tests break.

May import the contract of connectors, `directory.names`, `vault`. Start at `endpoint`; `personalities` is the
data, `breaking` how they fail on command. `provserver.connectors.emulated` has the connector, and what tests
import.
"""
