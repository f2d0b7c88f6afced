#!/bin/sh
# vipsthumbnail once for each size: PHOTO OUT REPEAT.
set -eu
options='[Q=85,optimize_coding,strip]'
for _ in $(seq "$3"); do
  vipsthumbnail "$1" --size 2048 --output "$2/xlarge.jpg$options"
  vipsthumbnail "$1" --size 1280 --output "$2/large.jpg$options"
  vipsthumbnail "$1" --size 640 --output "$2/medium.jpg$options"
  vipsthumbnail "$1" --size 320 --output "$2/small.jpg$options"
  vipsthumbnail "$1" --size 160x160 --smartcrop centre --output "$2/square.jpg$options"
done
