// Files in ComfyUI's folders.
import { api } from "../../../../scripts/api.js";

// {filename, subfolder, type} of a name as loaders have it: `sub/name.png [output]`.
export function readName(name) {
  const [, path, type = "input"] = /^(.*?)(?: \[(input|output|temp)\])?$/s.exec(name);
  const parts = path.replaceAll("\\", "/").split("/");
  return { filename: parts.pop(), subfolder: parts.join("/"), type };
}

export const makeViewUrl = (file) => api.apiURL(`/view?${new URLSearchParams(file)}`);
