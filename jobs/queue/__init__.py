"""Requests: what users ask for, the journal that stores them, and the worker that runs them.

Pages import `requests` and `submit` only.
"""
