"""The adapter that teaches a small public language model the service's work: material, training, export, judging.

``train`` needs the ``train`` extra (torch and transformers); nothing else of it does.
"""
