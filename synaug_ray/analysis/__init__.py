"""From the table of measurements to the answer: cells, studies, exchange rates, verdicts. Works without tensors."""
