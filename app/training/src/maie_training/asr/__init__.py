"""The embedded speech recogniser: tokenizer, training, conversion.

Only these modules need the ``train`` extra (torch and transformers).
"""
