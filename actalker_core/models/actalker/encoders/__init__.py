"""Media -> features: audio (Whisper), identity (ArcFace), expression and head pose (ResNets)."""
