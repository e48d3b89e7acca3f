// A CURVE that is drawn in ComfyUI's own Curve Editor: points over the length of the clip, between
// them straight lines or cubics that never overshoot.
// Source: Fritsch and Carlson, Monotone Piecewise Cubic Interpolation, 1980, as ComfyUI limits it.
import { clamp } from "../base/grammar.js";

function findSlopes(points) {
  const steps = points.slice(1).map(([x, y], i) => (x > points[i][0] ? (y - points[i][1]) / (x - points[i][0]) : 0));
  const slopes = points.map((_, i) => {
    const [before, after] = [steps[Math.max(i - 1, 0)], steps[Math.min(i, steps.length - 1)]];
    return before * after > 0 || before === after ? (before + after) / 2 : 0;
  });
  steps.forEach((step, i) => {
    if (!step) return slopes.splice(i, 2, 0, 0);
    const steepness = Math.hypot(slopes[i], slopes[i + 1]) / Math.abs(step);
    if (steepness > 3) slopes.splice(i, 2, (slopes[i] * 3) / steepness, (slopes[i + 1] * 3) / steepness);
  });
  return slopes;
}

// The widget's value ({points, interpolation} or points alone) -> position 0…1 => value 0…1.
export function readDrawnCurve(value) {
  const points = [...(value?.points ?? value ?? [])].sort(([a], [b]) => a - b);
  if (!points.length) return () => 0;
  const slopes = findSlopes(points);
  return (at) => {
    const next = points.findIndex(([x]) => x > at);
    if (next <= 0) return clamp(points.at(next)[1]); // of the last point, or of the first
    const [[x, y], [endX, endY]] = [points[next - 1], points[next]];
    const [width, share] = [endX - x, (at - x) / (endX - x)];
    if (value.interpolation === "linear") return clamp(y + share * (endY - y));
    const rest = 1 - share;
    return clamp(
      rest * rest * ((1 + 2 * share) * y + share * width * slopes[next - 1]) +
      share * share * ((3 - 2 * share) * endY - rest * width * slopes[next]),
    );
  };
}
