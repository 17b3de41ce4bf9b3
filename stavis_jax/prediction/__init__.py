"""Films to saliency maps, in memory."""
