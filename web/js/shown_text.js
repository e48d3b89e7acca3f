// Shows a node's text again when its result comes from the cache: ComfyUI then repeats the ui
// output, but not the text that was sent to the node while it ran. On the canvas it also makes the
// node tall enough to read all of it; Nodes 2.0 does that by itself.
import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { findWidget, putAbovePicture, removeWidget } from "./base/editor.js";
import { findNode } from "./base/path.js";
import { translateStage } from "./stage_words.js";

const SHOWING = [
  "ACTalker_ConvertCheckpoint", "ACTalker_Preflight", "ACTalker_SaveSignals", "ACTalker_SaveMotion",
  "ACTalker_Talk", "ACTalker_PreparePortrait", "ACTalker_Conditioning", // these only warnings
  "ACTalker_Windows", "ACTalker_Guider", "ACTalker_Sampler", "ACTalker_Decode", "ACTalker_AnimatePhoto",
  "ACTalker_MotionFromClip", "ACTalker_EncodeMotion", "ACTalker_FaceEditor", "ACTalker_MotionToFrames",
  "ACTalker_GeometryImages", "ACTalker_SwapStart", "ACTalker_RefineWithTGDM",
  "ACTalker_TrainPersonal", "ACTalker_FaceSwap",
];
const TEXT_WIDGET = "$$node-text-preview"; // the front end's
const LETTER_PX = 7, LINE_PX = 16, MARGIN_PX = 40;

const findText = (node) => findWidget(node, TEXT_WIDGET);

function show(node, text) {
  // The front end looks a node up in the graph that is open.
  if (node.graph?.id !== app.canvas.graph?.id) return;
  const detail = { nodeId: String(node.id), text };
  api.dispatchEvent(new CustomEvent("progress_text", { detail }));
}

const rooms = new WeakMap(); // heights of nodes before and with a text

function makeRoom(node, text) {
  const widget = findText(node);
  if (!widget?.options || globalThis.LiteGraph?.vueNodesMode) return;
  const [width, height] = node.size;
  const letters = Math.max((width - MARGIN_PX) / LETTER_PX, 1);
  const rows = text
    .split("\n")
    .reduce((sum, line) => sum + Math.max(Math.ceil(line.trim().length / letters), 1), 0);
  widget.options.getMinHeight = () => rows * LINE_PX + MARGIN_PX;
  putAbovePicture(node, widget);
  node.setSize([width, Math.max(height, node.computeSize()[1])]);
  rooms.set(node, { before: rooms.get(node)?.before ?? height, after: node.size[1] });
  node.setDirtyCanvas?.(true, true);
}

// Takes the text away, and the room that was made for it.
function remove(node) {
  const widget = findText(node);
  if (!widget) return;
  removeWidget(node, widget, rooms.get(node) ?? {});
  rooms.delete(node);
}

// A warning is true of the values that it was given for: what runs anew may have none to give.
let running = null;
api.addEventListener("executing", ({ detail }) => {
  if (findText(running)?.value === "") remove(running);
  const node = findNode(detail);
  running = SHOWING.includes(node?.type) ? node : null;
  const widget = findText(running);
  if (widget) widget.value = "";
});

// While a node runs its text tells the stage; an empty one says that it has nothing more to tell. The
// front end draws texts by itself, but leaves the node as low as it is, and keeps those that are empty.
api.addEventListener("progress_text", ({ detail }) => {
  const node = findNode(detail.nodeId);
  if (!SHOWING.includes(node?.type)) return;
  if (!detail.text) return remove(node);
  queueMicrotask(() => {
    const widget = findText(node);
    const text = detail.text.split("\n").map(translateStage).join("\n");
    if (widget && text !== detail.text) widget.value = text;
    makeRoom(node, text);
  });
});

app.registerExtension({
  name: "ACTalker.ShownText",
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (!SHOWING.includes(nodeData.name)) return;
    const before = nodeType.prototype.onExecuted;
    nodeType.prototype.onExecuted = function (output) {
      before?.apply(this, arguments);
      const text = output?.text?.[0];
      if (text) show(this, text);
    };
  },
});
