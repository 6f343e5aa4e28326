"""The encoder: what each customer will do in the next weeks, foreseen from timeline and features.

Letters used for shapes in every docstring here: B customers in a batch, T events of a sequence (newest
last, padding in front), E numbers per event, F static features, H embedding width, Q heads.
"""
