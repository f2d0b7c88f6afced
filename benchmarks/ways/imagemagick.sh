#!/bin/sh
# ImageMagick: PHOTO OUT REPEAT. One decode, with the hint that lets the JPEG decoder scale to twice
# the largest size at least; the smaller sizes from the largest.
# Source: https://imagemagick.org/Usage/thumbnails/
set -eu
magick=$(command -v magick || command -v convert-im6.q16 || command -v convert)
for _ in $(seq "$3"); do
  "$magick" -define jpeg:size=4096x4096 "$1[0]" -auto-orient -strip -quality 85 \
    -sampling-factor 4:2:0 \
    -thumbnail '2048x2048>' -write "$2/xlarge.jpg" \
    \( +clone -thumbnail '1280x1280>' -write "$2/large.jpg" +delete \) \
    \( +clone -thumbnail '640x640>' -write "$2/medium.jpg" +delete \) \
    \( +clone -thumbnail '320x320>' -write "$2/small.jpg" +delete \) \
    -thumbnail '160x160^' -gravity center -extent 160x160 "$2/square.jpg"
done
