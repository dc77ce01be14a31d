"""Pose estimation with BlazePose on OpenVINO: from a video's frames to the `PoseTrack` of one person."""
