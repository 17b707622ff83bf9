"""Stack traces of each language, read from text: a module a language, one function each.

A reader decides where a stack trace is in a text, which exception counts, and which frames are the application's own.
It reads one text. It cannot tell a stack trace from a person's quotation of one.
"""
