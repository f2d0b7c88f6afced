#!/bin/sh
# What the codecs alone need, without resize, colour or input: PHOTO OUT REPEAT. libjpeg-turbo's own
# commands decode the photo as far as they may scale it (FLOOR_SCALE, such as 1/2) and encode the
# five renditions, whose pixels lie ready in FLOOR_PIXELS.
set -eu
for _ in $(seq "$3"); do
  djpeg -scale "$FLOOR_SCALE" -outfile /dev/null "$1"
  for name in xlarge large medium small square; do
    cjpeg -quality 85 -sample 2x2 -optimize -outfile "$2/$name.jpg" "$FLOOR_PIXELS/$name.ppm"
  done
done
