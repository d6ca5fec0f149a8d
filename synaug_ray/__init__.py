"""How many synthetic images is one more real image worth, and should you collect or generate?"""

__version__ = "0.1.0"
