"""Accuracy and speed, measured: tables for people. Speed is a ratio to a peer in the same run, never a test."""
