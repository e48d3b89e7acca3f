"""A face in three dimensions: MediaPipe's mesh, its pose, what moves it and how it is drawn."""
