"""Audit of a pool of synthetic images: does it look real, show the class asked for, vary, and not copy?"""
