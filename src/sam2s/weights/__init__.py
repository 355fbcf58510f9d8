"""Weights of the network: found, read safely and strictly, renamed from other codes' names, saved.

Start at ``load.load_model``. No file can run code here, and every tensor has to fit.
"""
