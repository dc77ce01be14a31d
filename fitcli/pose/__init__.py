"""BlazePose on OpenVINO: from frames to one person's `PoseTrack`, and from a track to a network's clip."""
