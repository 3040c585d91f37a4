"""The eight emotions, spelled one way everywhere."""

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise")
