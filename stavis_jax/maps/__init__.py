"""Saliency maps as pictures: one map, a heat overlay, a folder of maps."""
