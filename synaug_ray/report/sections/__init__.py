"""The sections of the page: each module makes plain values for the templates in ``report/html``."""
