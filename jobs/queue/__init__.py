"""Requests: what users ask for, the journal that stores them, and the worker that runs them.

Pages use `requests` and `submit`, and read the `journal`; they do not import the worker or anything it uses.
"""
