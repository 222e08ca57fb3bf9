"""MAIE: upload audio, get a transcript."""
