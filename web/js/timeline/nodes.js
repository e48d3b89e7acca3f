// Which nodes have a timeline, and what its lanes edit.
import { app } from "../../../../scripts/app.js";
import { findWidget, setWidget } from "../base/editor.js";
import { findSource } from "../base/wires.js";
import { makeWords } from "../base/words.js";
import { CurveLane, FlagLane } from "./lanes.js";
import { Timeline } from "./timeline.js";
import { findWindows } from "./windows.js";

const CURVE = "ACTalker_Curve", GATES = "ACTalker_Gates", ANIMATE = "ACTalker_AnimatePhoto";
const TEXT = "curve_text";
const GROUPS = ["mouth", "eyes", "brows", "cheeks", "head", "gaze"];
// Inputs that take a curve -> a lane each.
const CURVE_INPUTS = {
  [GATES]: ["audio_curve", "expression_curve"],
  ACTalker_MixMotion: [...GROUPS.map((group) => `${group}_curve`), "curve"],
  ACTalker_EditMotion: ["curve"],
  ACTalker_MixSignals: ["curve"],
};
// Widgets with expressions over time; in the first no words are words too.
const FLAG_WIDGETS = {
  [ANIMATE]: "text",
  ACTalker_MotionFromWords: "text",
  ACTalker_TextExpression: "text",
  ACTalker_BankOfSignal: "moments",
};
const COLORS = {
  audio: "#ff8a5c", expression: "#5ccf5c", mouth: "#ff8a5c", eyes: "#62b8ff", brows: "#c79bff",
  cheeks: "#ff8fb1", head: "#5ccf5c", gaze: "#4fd6c4", curve: "#ff5cc8", flags: "#e5c07b",
};
const CURVE_PX = 130, TWO_LANES_PX = 190, LANE_PX = 42, FLAGS_PX = 118, FRAME_PX = 60, GAP_PX = 60;
const word = makeWords("lanes");

// The text of a widget as a lane has it; one that comes over a wire is not the lane's to change.
function editWidget(node, name, rest) {
  const isWired = () => node.inputs?.find((input) => input.name === name)?.link != null;
  return {
    rest: () => rest,
    read: () => (isWired() ? null : (findWidget(node, name)?.value ?? null)),
    write: (text) => isWired() || setWidget(node, name, text),
  };
}

// A lane edits the Curve that is connected; the first key makes one, from where the node's own number is.
function makeInputLane(node, input) {
  const name = input.replace(/_curve$/, "");
  const source = () => findSource(node, input);
  const curve = () => (source()?.type === CURVE ? source() : null);
  return new CurveLane({
    label: word(name),
    color: COLORS[name],
    rest: () => String((findWidget(node, name) ?? findWidget(node, "amount"))?.value ?? 1),
    read: () => findWidget(curve(), TEXT)?.value ?? null,
    write: (text) => {
      if (!curve() && source()) return; // what is not of this pack is edited where it is
      setWidget(curve() ?? connectCurve(node, input), TEXT, text);
    },
    findDrawn: () => (curve() ? null : (findWidget(source(), "curve")?.value ?? null)),
  });
}

function connectCurve(node, input) {
  const curve = globalThis.LiteGraph.createNode(CURVE);
  node.graph.add(curve);
  curve.pos = findFreePlace(curve, node.pos[0] - curve.size[0] - GAP_PX, node.pos[1]);
  curve.connect(0, node, input);
  return curve;
}

// From a place downwards, the first where a node lies over no other.
function findFreePlace(node, x, y) {
  const [width, height] = node.size;
  const hit = node.graph.nodes.find((other) => {
    const [left, top] = other.pos, [right, bottom] = [left + other.size[0], top + other.size[1]];
    const isBeside = left >= x + width || right <= x || top >= y + height + GAP_PX || bottom + GAP_PX <= y;
    return other !== node && !isBeside;
  });
  return hit ? findFreePlace(node, x, hit.pos[1] + hit.size[1] + GAP_PX) : [x, y];
}

// The options of a node's timeline, or null where it has none.
function describeTimeline(node, kind) {
  if (kind === CURVE) {
    const lane = { color: COLORS.curve, ...editWidget(node, TEXT, "1") };
    return { lanes: [new CurveLane(lane)], height: CURVE_PX };
  }
  const inputs = CURVE_INPUTS[kind];
  if (inputs) {
    return {
      lanes: inputs.map((input) => makeInputLane(node, input)),
      findWindows: () => (kind === GATES ? findWindows(node) : null),
      height: [CURVE_PX, TWO_LANES_PX][inputs.length - 1] ?? inputs.length * LANE_PX + FRAME_PX,
    };
  }
  const name = FLAG_WIDGETS[kind];
  if (!name) return null;
  const lane = { color: COLORS.flags, mayBeEmpty: kind === ANIMATE, ...editWidget(node, name, "") };
  return {
    lanes: [new FlagLane(lane)],
    findSeconds: () => Number(findWidget(node, "seconds")?.value) || 0,
    height: FLAGS_PX,
  };
}

app.registerExtension({
  name: "ACTalker.Timeline",
  nodeCreated(node) {
    const options = describeTimeline(node, node.constructor?.comfyClass ?? node.comfyClass);
    if (options) new Timeline(node, options);
  },
});
