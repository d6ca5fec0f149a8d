"""What fills one section of the page: plain values for the templates in ``report/html``."""
