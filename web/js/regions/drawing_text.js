// The grammar of drawings, as actalker_core/control/drawing.py reads it:
//     polygon 0.3,0.6 0.7,0.6 0.5,0.9; erase brush 0.02 0.4,0.7; empty
// Points are shares of the image's width and height, the brush's radius one of its width.
import { TextFault, clamp, misread, readNumber, round, split } from "../base/grammar.js";

const LIMITS = { share: [-1, 2], radius: [0.0005, 0.5] };
const MAX_STEPS = 1000, MAX_POINTS = 20000;
const DIGITS = 4;

function readShare(part, [least, most]) {
  const value = readNumber(part);
  if (value < least || value > most) {
    throw misread(`a number from ${least} to ${most}`, part);
  }
  return value;
}

function readPoint(source, part) {
  const coordinates = split(source, part, /,/g);
  if (coordinates.length !== 2) throw misread("a point x,y", part);
  return coordinates.map((each) => readShare(each, LIMITS.share));
}

function readStep(source, part) {
  const words = split(source, part, /\s+/g);
  const isEraser = words[0].text === "erase";
  const [kind, ...rest] = isEraser ? words.slice(1) : words;
  if (kind?.text === "polygon") {
    if (rest.length < 3) throw misread("at least three points", part);
    return { points: rest.map((point) => readPoint(source, point)), isEraser };
  }
  if (kind?.text !== "brush") {
    throw misread("polygon, brush, erase or empty", part);
  }
  if (rest.length < 2) {
    throw misread("a radius and at least one point", part);
  }
  const radius = readShare(rest[0], LIMITS.radius);
  return { radius, points: rest.slice(1).map((point) => readPoint(source, point)), isEraser };
}

// {steps, isOverRegion}: the second is false where the drawing begins from nothing.
export function readDrawing(source) {
  const parts = split(source, { start: 0, end: source.length }, /[;\n]/g);
  if (parts.length > MAX_STEPS) throw new TextFault(`at most ${MAX_STEPS} steps`, 0, parts.length);
  let steps = [], isOverRegion = true, count = 0;
  for (const part of parts) {
    if (part.text === "empty") {
      [steps, isOverRegion] = [[], false];
      continue;
    }
    const step = readStep(source, part);
    count += step.points.length;
    if (count > MAX_POINTS) throw misread(`at most ${MAX_POINTS} points`, part);
    steps.push(step);
  }
  return { steps, isOverRegion };
}

const write = (value, [least, most]) => round(clamp(value, least, most), DIGITS);

export function writeStep({ points, radius, isEraser }) {
  const words = isEraser ? ["erase"] : [];
  if (radius === undefined) words.push("polygon");
  else words.push("brush", write(radius, LIMITS.radius));
  for (const point of points) words.push(point.map((each) => write(each, LIMITS.share)).join(","));
  return words.join(" ");
}

export function appendStep(source, step) {
  const before = source.replace(/[\s;]+$/, "");
  return before ? `${before}; ${step}` : step;
}

// Fewer points, none of which is left out further than `tolerance` from the line through the others.
export function simplifyLine(points, tolerance) {
  if (points.length < 3) return points;
  const [first, last] = [points[0], points.at(-1)];
  const [dx, dy] = [last[0] - first[0], last[1] - first[1]];
  const square = dx * dx + dy * dy;
  let farthest = 0, index = 0;
  points.forEach(([x, y], i) => {
    const along = square && clamp(((x - first[0]) * dx + (y - first[1]) * dy) / square);
    const distance = Math.hypot(x - first[0] - along * dx, y - first[1] - along * dy);
    if (distance > farthest) [farthest, index] = [distance, i];
  });
  if (farthest <= tolerance) return [first, last];
  const start = simplifyLine(points.slice(0, index + 1), tolerance);
  return [...start.slice(0, -1), ...simplifyLine(points.slice(index), tolerance)];
}

// Paints a drawing white over what a context holds; `place` puts shares at pixels, `width` is the image's.
export function paintDrawing(context, { steps, isOverRegion }, place, width) {
  if (!isOverRegion) context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  context.fillStyle = context.strokeStyle = "#fff";
  context.lineCap = context.lineJoin = "round";
  for (const { points, radius, isEraser } of steps) {
    context.globalCompositeOperation = isEraser ? "destination-out" : "source-over";
    context.beginPath();
    for (const point of points) context.lineTo(...place(point));
    if (radius === undefined) {
      context.fill("evenodd");
      continue;
    }
    if (points.length === 1) context.lineTo(...place(points[0]));
    context.lineWidth = 2 * radius * width;
    context.stroke();
  }
  context.globalCompositeOperation = "source-over";
}
