"""Motion in numbers: what a face does in each frame, by a clip, sound, words, hand or itself."""
