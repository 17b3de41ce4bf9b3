"""A film -> saliency maps in memory."""
