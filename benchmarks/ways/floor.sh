#!/bin/sh
# What the codecs alone need, without resize, colour or input: PHOTO OUT REPEAT. The codecs' own
# commands decode the photo, libjpeg-turbo's as far as it may scale it (FLOOR_SCALE, such as 1/2), and
# libjpeg-turbo's encodes the five renditions, whose pixels lie ready in FLOOR_PIXELS.
set -eu
for _ in $(seq "$3"); do
  case "$1" in
    *.jpg) djpeg -scale "$FLOOR_SCALE" -outfile /dev/null "$1" ;;
    *.webp) dwebp -quiet "$1" -ppm -o /dev/null ;;
    *.avif) avifdec --codec dav1d --jobs 1 "$1" "$2/planes.y4m" >/dev/null ;;
  esac
  for name in xlarge large medium small square; do
    cjpeg -quality 85 -sample 2x2 -optimize -outfile "$2/$name.jpg" "$FLOOR_PIXELS/$name.ppm"
  done
done
