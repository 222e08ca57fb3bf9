"""The embedded language model: its training samples, tokenizer, training, conversion.

``model``, ``train`` and ``export`` need the ``train`` extra (torch and transformers).
"""
