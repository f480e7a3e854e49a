"""Requests: what users ask for, the journal that stores them, and the worker that runs them.

Pages submit requests and read the journal. They import neither the worker nor what only it uses (`claimed`, `leases`,
`make_once`, `planner`, `planning`).
"""
