"""Output `roi`: tells video encoders where to spend their bits."""
