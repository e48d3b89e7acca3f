"""The engine that moves a photograph by its geometry alone: no weights but the landmarker's."""
