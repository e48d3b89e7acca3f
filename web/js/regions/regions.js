// The regions of both signals over the portrait: painted with a brush, drawn as polygons, erased.
import { Editor } from "../base/editor.js";
import { make, makeButton } from "../base/elements.js";
import { clamp } from "../base/grammar.js";
import { Still } from "../base/picture.js";
import { makeWords } from "../base/words.js";
import { appendStep, paintDrawing, readDrawing, simplifyLine, writeStep } from "./drawing_text.js";
import { RegionSource } from "./source.js";

const word = makeWords("regions");
const COLORS = { audio: "#ff8a5c", expression: "#5ccf5c" };
const SIGNALS = Object.keys(COLORS);
const HEIGHT = 390;
const HALF = 128; // of a pixel that a border crosses, as much as makes it the region's
const DETAIL = 2; // pixels of a mask by those of the canvas: what is said of the overlap is counted in them
const TINT = { chosen: 0.5, other: 0.35 }, BORDER_PX = 1.5;
const RADII = [0.01, 0.15], FIRST_RADIUS = 0.05; // shares of the portrait's width
const MOST_ZOOM = 16, ZOOM_OF_PX = 1.002; // by a pixel of the wheel's way
const REACH_PX = 9, LASSO_PX = 14, STEP_PX = 2, TOLERANCE_PX = 0.6;
const ICONS = {
  brush: "M10.5 2.5 13.5 5.5 7.5 11.5 4.5 8.5ZM4 9.5 6.5 12C5.5 14.5 3.5 14 2 14 3.5 13 2.5 10.5 4 9.5Z",
  polygon: "M2.5 6 8 2 13.5 7 11.5 13.5 4.5 12.5Z",
  erase: "M6 13 2.5 9.5 9 3 13.5 7.5 8 13ZM5.5 6.5 10 11M5 13.5H14",
};

const drawIcon = (path) =>
  `<svg viewBox="0 0 16 16"><path d="${path}" fill="none" stroke="currentColor" stroke-width="1.4"/></svg>`;

export class RegionEditor extends Editor {
  constructor(node) {
    super(node, "regions", HEIGHT);
    this.signal = SIGNALS[0];
    this.tool = "brush";
    this.isEraser = false;
    this.radius = FIRST_RADIUS;
    this.step = null; // what is being drawn: {points, radius, isEraser}
    this.path = null; // how far the pointer went while it was down
    this.pointer = null; // where the brush is shown
    this.zoomed = [0, 0, 1, 1]; // what is shown, in shares of the portrait
    this.border = make("canvas");
    this.masks = SIGNALS.map(() => make("canvas"));
    this.still = new Still(() => this.redraw());
    this.source = new RegionSource(node, () => this.redraw());
    this.buildBars();
    this.element.dataset.captureWheel = true; // while it has the focus Nodes 2.0 leaves it the wheel
    this.listen({
      pointerdown: this.press,
      pointermove: this.move,
      pointerup: this.release,
      pointercancel: this.cancel,
      pointerleave: this.leave,
      dblclick: this.closePolygon,
      contextmenu: (event) => event.preventDefault(),
      wheel: this.zoom,
      keydown: this.typeKey,
    });
  }

  buildBars() {
    this.buttons = {};
    for (const signal of SIGNALS) {
      const button = this.addButton(this.bar, signal, word(signal), "", () => this.choose({ signal }));
      button.className = "signal";
      button.style.setProperty("--tint", COLORS[signal]);
    }
    const tools = make("div", { className: "actalker-bar" });
    for (const tool of ["brush", "polygon"]) this.addIcon(tools, tool, () => this.choose({ tool }));
    this.addIcon(tools, "erase", () => this.choose({ isEraser: !this.isEraser }));
    this.size = make("input", {
      type: "range", min: RADII[0], max: RADII[1], step: 0.005, value: this.radius, title: word("radius"),
      oninput: () => this.choose({ radius: Number(this.size.value) }),
    });
    tools.append(this.size);
    this.addButton(tools, "empty", word("empty"), word("emptyHelp"), () => this.write(() => "empty"));
    this.addButton(tools, "reset", word("reset"), word("resetHelp"), () => this.write(() => ""));
    this.note = make("div", { className: "actalker-note" });
    this.element.append(tools, this.note);
  }

  addButton(bar, name, text, title, act) {
    const button = makeButton(text, title, act);
    button.dataset.name = name;
    bar.append(button);
    return (this.buttons[name] = button);
  }

  addIcon(bar, name, act) {
    const button = this.addButton(bar, name, "", word(name), act);
    Object.assign(button, { className: "tool", innerHTML: drawIcon(ICONS[name]), ariaLabel: word(name) });
  }

  // State ----------------------------------------------------------------------------------------

  read() {
    this.source.look();
    const { question } = this.source;
    return JSON.stringify([question.asked, this.source.explain(), ...SIGNALS.map((signal) => this.text(signal))]);
  }

  text(signal) {
    return String(this.value(`${signal}_drawing`) ?? "");
  }

  drawing(signal) {
    try {
      return readDrawing(this.text(signal));
    } catch (fault) {
      return fault;
    }
  }

  choose(changes) {
    Object.assign(this, changes, { step: null });
    this.redraw();
  }

  // What changes the drawing of the chosen signal; a text that cannot be read is left to its author.
  write(change) {
    this.step = null;
    const text = this.text(this.signal);
    if (!(this.drawing(this.signal) instanceof Error) || change(text) === "") {
      this.set(`${this.signal}_drawing`, change(text));
    }
    this.redraw();
  }

  // `zoomed` as the editor's own.
  view(zoomed = this.zoomed) {
    const shown = this.source.view();
    if (!shown) return null;
    const [x0, y0, x1, y1] = shown.box;
    const box = zoomed.map((share, i) => (i % 2 ? y0 + share * (y1 - y0) : x0 + share * (x1 - x0)));
    return { ...shown, frame: this.fit(box, shown.size) };
  }

  // Pointer and keyboard -------------------------------------------------------------------------

  press(event) {
    const frame = this.view()?.frame;
    if (!frame || event.button === 1) return;
    this.canvas.focus();
    this.canvas.setPointerCapture(event.pointerId);
    const at = this.locate(event);
    const isEraser = this.isEraser !== (event.button === 2);
    this.path = 0;
    if (this.tool === "brush") {
      this.step = { points: [frame.unplace(at)], radius: this.radius * (frame.box[2] - frame.box[0]), isEraser };
    } else if (this.step && this.isNearStart(frame, at)) {
      return this.closePolygon();
    } else {
      this.step ??= { points: [], isEraser };
      this.step.points.push(frame.unplace(at));
    }
    this.redraw();
  }

  isNearStart(frame, [x, y]) {
    const [startX, startY] = frame.place(this.step.points[0]);
    return this.step.points.length > 2 && Math.hypot(x - startX, y - startY) < REACH_PX;
  }

  move(event) {
    const frame = this.view()?.frame;
    if (!frame) return;
    const at = (this.pointer = this.locate(event));
    if (this.path !== null && this.step) {
      const [x, y] = frame.place(this.step.points.at(-1));
      const way = Math.hypot(at[0] - x, at[1] - y);
      if (way >= STEP_PX) {
        this.step.points.push(frame.unplace(at));
        this.path += way;
      }
    }
    this.redraw();
  }

  // What is under the pointer stays there.
  zoom(event) {
    const frame = this.view()?.frame;
    if (!frame) return;
    event.preventDefault();
    event.stopPropagation();
    const [x, y] = this.locate(event);
    const at = [(x - frame.left) / frame.width, (y - frame.top) / frame.height];
    const [x0, y0, x1] = this.zoomed;
    const before = x1 - x0;
    const side = clamp(before * ZOOM_OF_PX ** event.deltaY, 1 / MOST_ZOOM);
    const [left, top] = [x0, y0].map((edge, axis) => clamp(edge + at[axis] * (before - side), 0, 1 - side));
    this.zoomed = [left, top, left + side, top + side];
    this.redraw();
  }

  // A stroke ends, and a polygon that was dragged around; one that is clicked goes on.
  release() {
    const { path } = this;
    this.path = null;
    if (!this.step) return;
    if (this.step.radius !== undefined) this.finish();
    else if (path > LASSO_PX) this.closePolygon();
  }

  leave() {
    this.pointer = null;
    this.redraw();
  }

  cancel() {
    this.path = this.step = null;
    this.redraw();
  }

  closePolygon() {
    if (this.step?.radius !== undefined) return;
    if (this.step?.points.length > 2) this.finish();
    else this.cancel();
  }

  finish() {
    const frame = this.view()?.frame;
    if (!frame) return this.cancel(); // its picture went in the middle of a stroke
    const { points, ...step } = this.step;
    const simple = simplifyLine(points.map((point) => frame.place(point)), TOLERANCE_PX);
    if (step.radius === undefined && simple.length < 3) return this.cancel();
    const written = writeStep({ ...step, points: simple.map((point) => frame.unplace(point)) });
    this.write((text) => appendStep(text, written));
  }

  typeKey(event) {
    const sizes = { "[": 1 / 1.25, "]": 1.25 };
    if (event.key in sizes) {
      this.size.value = this.radius = clamp(this.radius * sizes[event.key], ...RADII);
    } else if (!this.step) return;
    else if (event.key === "Enter") this.closePolygon();
    else if (event.key === "Escape") this.cancel();
    else if (event.key === "Backspace" && this.step.points.length > 1) this.step.points.pop();
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.redraw();
  }

  // Drawing --------------------------------------------------------------------------------------

  draw(context, width, height) {
    context.clearRect(0, 0, width, height);
    const chosen = [this.signal, this.tool, this.isEraser && "erase"];
    for (const [name, button] of Object.entries(this.buttons)) button.classList.toggle("chosen", chosen.includes(name));
    this.size.disabled = this.tool !== "brush";
    this.buttons.reset.disabled = !this.text(this.signal);
    const view = this.view();
    this.canvas.style.cursor = !view ? "default" : this.tool === "brush" ? "none" : "crosshair";
    if (!view) return this.showNote(this.source.explain());
    const picture = this.still.find(view.url);
    if (picture) view.frame.drawPicture(context, picture, view.pictureBox);
    SIGNALS.forEach((signal, i) => this.paintMask(this.masks[i], signal, view));
    const isChosen = (signal) => signal === this.signal;
    for (const signal of [...SIGNALS].sort((a, b) => isChosen(a) - isChosen(b))) { // the chosen one on top
      const mask = this.masks[SIGNALS.indexOf(signal)];
      this.tint(context, mask, view.frame, isChosen(signal) ? TINT.chosen : TINT.other);
    }
    this.drawStep(context, view.frame);
    if (!this.step) this.report();
  }

  // The region of a signal, in its colour where it acts.
  paintMask(mask, signal, { frame, ...view }) {
    [mask.width, mask.height] = [frame.width, frame.height].map((side) => Math.round(side * DETAIL));
    const context = mask.getContext("2d", { willReadFrequently: true });
    const place = (point) => {
      const [x, y] = frame.place(point);
      return [(x - frame.left) * DETAIL, (y - frame.top) * DETAIL];
    };
    const paint = (drawing) => paintDrawing(context, drawing, place, frame.pictureWidth * DETAIL);
    if (view[signal] !== null) paint(readDrawing(view[signal]));
    const drawing = this.drawing(signal);
    if (!(drawing instanceof Error)) paint(drawing);
    const isClosed = this.step && (this.step.radius !== undefined || this.step.points.length > 2);
    if (isClosed && signal === this.signal) paint({ steps: [this.step], isOverRegion: true });
    context.globalCompositeOperation = "source-in";
    context.fillStyle = COLORS[signal];
    context.fillRect(0, 0, mask.width, mask.height);
  }

  // A region over the picture: seen through, with its border in full colour.
  tint(context, mask, { left, top, width, height }, alpha) {
    context.globalAlpha = alpha;
    context.drawImage(mask, left, top, width, height);
    context.globalAlpha = 1;
    const border = this.border.getContext("2d");
    [this.border.width, this.border.height] = [mask.width, mask.height];
    const wide = BORDER_PX * DETAIL;
    for (const [x, y] of [[0, 0], [wide, 0], [0, wide], [-wide, 0], [0, -wide]]) {
      border.globalCompositeOperation = x || y ? "destination-in" : "source-over";
      border.drawImage(mask, x, y);
    }
    // What is left lies within the border; the rest of the mask is the border itself.
    border.globalCompositeOperation = "source-out";
    border.drawImage(mask, 0, 0);
    context.drawImage(this.border, left, top, width, height);
  }

  drawStep(context, frame) {
    context.lineWidth = 1;
    context.strokeStyle = this.step?.isEraser ?? this.isEraser ? "#fff" : COLORS[this.signal];
    if (this.step && this.step.radius === undefined) {
      context.beginPath();
      this.step.points.forEach((point) => context.lineTo(...frame.place(point)));
      if (this.pointer) context.lineTo(...this.pointer);
      context.stroke();
      context.fillStyle = "#fff";
      context.beginPath();
      context.arc(...frame.place(this.step.points[0]), 3, 0, 2 * Math.PI);
      context.fill();
    } else if (this.tool === "brush" && this.pointer) {
      for (const [color, radius] of [["#000", 1], [context.strokeStyle, 0]]) {
        context.strokeStyle = color;
        context.beginPath();
        context.arc(...this.pointer, this.radius * frame.width + radius, 0, 2 * Math.PI);
        context.stroke();
      }
    }
  }

  // How far the regions overlap in all of the portrait, unless something else has to be said.
  report() {
    for (const signal of SIGNALS) {
      const drawing = this.drawing(signal);
      if (drawing instanceof Error) return this.showNote(`${word(signal)}: ${drawing.message}`, true);
    }
    const { fault } = this.source.question;
    if (fault) return this.showNote(fault, true);
    const view = this.view([0, 0, 1, 1]);
    const unknown = SIGNALS.find((signal) => view[signal] === null);
    if (unknown) return this.showNote(word("own", word(unknown)));
    const [audio, expression] = this.masks.map((mask, i) => {
      if (this.zoomed[2] - this.zoomed[0] < 1) this.paintMask(mask, SIGNALS[i], view);
      return mask.getContext("2d").getImageData(0, 0, mask.width, mask.height).data;
    });
    const sizes = [0, 0];
    let shared = 0;
    for (let i = 3; i < audio.length; i += 4) {
      const [isHeard, isSeen] = [audio[i] > HALF, expression[i] > HALF];
      sizes[0] += isHeard;
      sizes[1] += isSeen;
      shared += isHeard && isSeen;
    }
    const none = SIGNALS.find((_, i) => !sizes[i]);
    if (none) return this.showNote(word("none", word(none)));
    const percent = Math.round((100 * shared) / Math.min(...sizes));
    this.showNote(percent ? word("overlap", percent) : word("apart"));
  }
}
