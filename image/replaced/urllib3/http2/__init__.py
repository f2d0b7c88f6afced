"""In place of urllib3's: no HTTP/2 in this image, which lacks the library that it takes.

urllib3 asks for that library's version when it is imported, and so for all of importlib.metadata.
"""
