"""The only rooms that know ComfyUI's folders, memory management, progress and sampling."""
