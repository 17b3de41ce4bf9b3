"""A page in the browser that predicts films."""
