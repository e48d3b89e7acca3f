// All frames of a clip, moving on the node that samples it: they come as one picture of frames in rows,
// after each step, and the last one stays. Nothing of it is saved with the graph.
import { api } from "../../../../scripts/api.js";
import { app } from "../../../../scripts/app.js";
import { addElement, onRemoved } from "../base/editor.js";
import { make } from "../base/elements.js";
import { findNode } from "../base/path.js";

const NAME = "actalker_preview", EVENT = "actalker.preview";
const SAMPLERS = ["ACTalker_Talk", "ACTalker_Sampler"];
const LEAST_PX = 140;
const LOOK_EVERY_MS = 20;
const players = new WeakMap();

class Player {
  constructor(node) {
    this.node = node;
    this.canvas = make("canvas", { className: "actalker-preview" });
    addElement(node, NAME, this.canvas, LEAST_PX);
    const timer = setInterval(() => this.play(), LOOK_EVERY_MS);
    onRemoved(node, () => clearInterval(timer));
  }

  async show(clip) {
    const sheet = new Image();
    this.newest = sheet;
    sheet.src = `data:image/jpeg;base64,${clip.jpeg}`;
    await sheet.decode();
    if (this.newest !== sheet) return; // a later one was read before
    this.clip = { ...clip, jpeg: null, sheet };
    this.canvas.width = clip.width;
    this.canvas.height = clip.height;
    this.frame = -1;
    this.play();
    this.node.setDirtyCanvas?.(true, true);
  }

  // The frame follows the clock, so that a new step goes on where the last one was.
  play() {
    if (!this.clip || !this.canvas.isConnected) return;
    const { sheet, frames, columns, width, height, fps } = this.clip;
    const frame = Math.floor((performance.now() / 1000) * fps) % frames;
    if (frame === this.frame) return;
    this.frame = frame;
    this.canvas.dataset.frame = frame;
    const [x, y] = [(frame % columns) * width, Math.floor(frame / columns) * height];
    this.canvas.getContext("2d").drawImage(sheet, x, y, width, height, 0, 0, width, height);
  }
}

// The graph that is open may be another than the one that runs, whose numbers say nothing here.
const isSampler = (node) =>
  SAMPLERS.includes(node.type) || node.inputs?.some(({ type }) => type === "GUIDER");

api.addEventListener(EVENT, ({ detail }) => {
  const node = findNode(detail.node);
  if (!node?.addDOMWidget || !isSampler(node)) return;
  if (!players.has(node)) players.set(node, new Player(node));
  players.get(node).show(detail);
});

app.registerExtension({ name: "ACTalker.Preview" });
