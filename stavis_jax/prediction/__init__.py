"""Predicts saliency maps of films, in memory."""
