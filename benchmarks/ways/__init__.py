"""Each way from a photo to the five renditions, a program of its own: ``PHOTO OUT REPEAT``.

It writes xlarge.jpg, large.jpg, medium.jpg, small.jpg and square.jpg into the folder OUT, REPEAT
times. One that stays in its process between the times prints a line of JSON for each, with the CPU
and wall milliseconds that it took. All are written as their own documentation advises, at quality
85 and chroma halved, with optimised Huffman tables.
"""
