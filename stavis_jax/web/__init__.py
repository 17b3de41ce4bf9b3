"""The web page that predicts films in a browser."""
