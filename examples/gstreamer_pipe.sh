#!/bin/sh
# A camera (or anything else that GStreamer reads) through a pipe of raw frames.
#   sh examples/gstreamer_pipe.sh v4l2src device=/dev/video0
#   sh examples/gstreamer_pipe.sh videotestsrc is-live=true
# max-size-buffers=1 leaky: what sam2s has no time for is dropped in the pipeline already.
set -eu
gst-launch-1.0 -q "$@" ! videoconvert ! videoscale ! videorate \
    ! video/x-raw,format=RGB,width=1280,height=720,framerate=30/1 \
    ! queue max-size-buffers=1 leaky=downstream ! fdsink \
    | sam2s live - --raw 1280x720:rgb24 --page
