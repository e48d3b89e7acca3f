// The picture that comes in over a wire: of Load Image at once, of other nodes once they showed one.
import { app } from "../../../../scripts/app.js";
import { findWidget } from "./editor.js";
import { make } from "./elements.js";
import { makeViewUrl, readName } from "./files.js";
import { findSource } from "./wires.js";

const LOADING = ["LoadImage", "LoadImageMask", "LoadImageOutput"];

// What a node has shown last; inside a subgraph the front end keeps it under another key.
function findShown(node) {
  const outputs = app.nodeOutputs ?? {};
  const output = outputs[`${node.graph?.id}:${node.id}`] ?? outputs[node.id];
  return output?.images?.at(0) ?? null;
}

// {name, url, isLive} of an input's picture, or null. `name` is what the pack's routes take; `isLive` says that
// they do, who refuse all but the input folder.
export function findPicture(node, inputName) {
  const source = findSource(node, inputName);
  if (!source) return null;
  const value = LOADING.includes(source.type) && findWidget(source, "image")?.value;
  const file = value && typeof value === "string" ? readName(value) : findShown(source);
  if (!file?.filename) return null;
  const { filename, subfolder = "", type = "output" } = file;
  return {
    name: `${subfolder && `${subfolder}/`}${filename} [${type}]`,
    url: makeViewUrl({ filename, subfolder, type }),
    isLive: type === "input",
  };
}

// The picture of an editor, of the address that it was asked for last; `onReady` is called once it is there.
export class Still {
  constructor(onReady) {
    this.onReady = onReady;
    this.url = null;
  }

  find(url) {
    if (url !== this.url) {
      this.url = url;
      this.image = make("img", { onload: this.onReady, src: url });
    }
    return this.image.complete && this.image.naturalWidth ? this.image : null;
  }
}

// Calls `take` with what a node shows under a key after each run, and the address of its picture.
export function watchView(node, key, take) {
  const before = node.onExecuted;
  node.onExecuted = (output) => {
    before?.call(node, output);
    const view = output?.[key]?.[0];
    if (view) take({ ...view, url: makeViewUrl(view.picture) });
  };
}
