"""ComfyUI's memory management, for networks of TGDM."""
