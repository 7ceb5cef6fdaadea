"""Receivers as somebody writes them who knows a system's documents and nothing of this repository.

They import none of it. Each takes what arrived and answers the status that its server would send.
"""
