"""Brings batches to the devices in the form that the train step takes."""
