"""Requests: what users ask for, the journal that keeps it, and the worker that does it.

Pages import `requests` and `submit` only.
"""
