"""The files written for one film's prediction."""
