// Into which windows a sampler cuts the clip that a node steers, as far as the graph tells.
import { findWidget } from "../base/editor.js";
import { findSource, listDependents } from "../base/wires.js";

// Of actalker_core/models/actalker/config.py, which is their master; a test compares them.
export const MODELS = {
  "built-in": { frames: 10, fps: 12.5 },
  released: { frames: 25, fps: 12.5 },
};
const WINDOWS = "ACTalker_Windows", CONDITIONING = "ACTalker_Conditioning", TALK = "ACTalker_Talk";

const valueOf = (node, name) => findWidget(node, name)?.value;

// {frames, overlap, mode, fps}, or null where no sampler is behind the node.
export function findWindows(node) {
  const dependents = listDependents(node);
  const sampler = dependents.find((each) => each.inputs?.some(({ name }) => name === "model"));
  if (!sampler) return null;
  let cut = null, source = sampler;
  for (let next; (next = findSource(source, "model")); source = next) {
    if (next.type === WINDOWS) cut ??= next;
  }
  const checkpoint = valueOf(source, "checkpoint");
  if (checkpoint === undefined) return null;
  const own = MODELS[checkpoint] ?? MODELS.released;
  const layout = dependents.find(({ type }) => type === CONDITIONING || type === TALK);
  const frames = valueOf(cut, "window_frames") || own.frames;
  return {
    frames,
    overlap: Math.min(valueOf(cut, "overlap_frames") ?? 0, frames - 1),
    mode: valueOf(cut, "mode") ?? "tight",
    fps: valueOf(layout, "fps") || own.fps,
  };
}

// The parts of each window at the first step, [start, end] in seconds; see actalker_core/diffusion/windows.py.
// A cyclic one wraps around a clip that is longer by one window; what lies there is not shown.
export function placeWindows({ frames, overlap, mode, fps }, seconds) {
  const length = Math.max(Math.round(seconds * fps), 1);
  const isCyclic = mode === "cyclic";
  const size = isCyclic ? frames : Math.min(frames, length);
  const whole = isCyclic ? length + frames : length;
  const starts = new Set();
  for (let start = 0; start < whole; start += frames - overlap) {
    starts.add(isCyclic ? start : Math.min(start, length - size));
  }
  const cut = (part) => part.map((frame) => Math.min(frame, length) / fps);
  return [...starts].map((start) =>
    [[start, start + size], [0, start + size - whole]].map(cut).filter(([from, to]) => from < to),
  );
}
