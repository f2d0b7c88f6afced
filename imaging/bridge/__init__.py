"""libvips' streams: the only modules that name them.

libvips calls back into Python for bytes, and loses what goes wrong there: an exception becomes
end-of-file, and a truncated JPEG or PNG then "succeeds". So every callback captures its exception
and answers -1, and the capture outranks whatever libvips reports, success included.
"""
