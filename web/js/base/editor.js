// What every editor on a node shares: it stands below the node's widgets in the classic canvas and in
// Nodes 2.0, and its value is that of native widgets, so that prompts and saved graphs know nothing of it.
import { app } from "../../../../scripts/app.js";
import { make } from "./elements.js";
import { View } from "./view.js";

export const LOOK_EVERY_MS = 150;
const PICTURE_WIDGET = "$$canvas-image-preview"; // the front end's
const NODE_WIDTH_PX = 300;
const WIDGET_MARGIN_PX = 20; // what the classic canvas leaves free around a widget of a height

const closed = new WeakSet(); // elements of editors whose node is gone

export function findWidget(node, name) {
  return node?.widgets?.find((widget) => widget.name === name);
}

// Sets a native widget as if it had been typed; undo knows it once the pointer is up.
export function setWidget(node, name, value) {
  const widget = findWidget(node, name);
  if (!widget || widget.value === value) return;
  widget.value = value;
  widget.callback?.(value, app.canvas, node);
  node.setDirtyCanvas?.(true, true);
}

export function onRemoved(node, act) {
  const before = node.onRemoved;
  node.onRemoved = (...values) => {
    before?.apply(node, values);
    act();
  };
}

// Gives a node a widget that is an element of the page, and makes room for it; nothing of it is saved.
export function addElement(node, name, element, height, least = 0) {
  element.style.minHeight = `${height - WIDGET_MARGIN_PX}px`; // Nodes 2.0 asks the element
  const options = { serialize: false, hideInPanel: true, hideOnZoom: false, getMinHeight: () => height };
  const widget = node.addDOMWidget(name, "actalker_editor", element, options);
  widget.serialize = false;
  putAbovePicture(node, widget);
  node.setSize([Math.max(node.size[0], least), Math.max(node.size[1], node.computeSize()[1])]);
  return widget;
}

// Puts an editor's widget above the native ones. A graph keeps the native ones' values by position, and
// the front end, which counts all widgets when it saves, counts only those that are saved when it loads.
export function moveToTop(node, widget) {
  node.widgets.splice(node.widgets.indexOf(widget), 1);
  node.widgets.unshift(widget);
  const before = node.onSerialize;
  node.onSerialize = function (saved) {
    before?.apply(this, arguments);
    const native = this.widgets.filter(({ serialize }) => serialize !== false);
    saved.widgets_values = native.map(({ value }) => value ?? null);
  };
}

// Puts a widget above what a run has shown: on the canvas a picture fills its node to the end.
export function putAbovePicture({ widgets }, widget) {
  const place = widgets.findIndex(({ name }) => name === PICTURE_WIDGET);
  if (place < 0 || place > widgets.indexOf(widget)) return;
  widgets.splice(widgets.indexOf(widget), 1);
  widgets.splice(place, 0, widget);
}

// Takes a widget off its node, and the room that was made for it: heights of the node `before` and `after` that.
export function removeWidget(node, widget, { before, after }) {
  node.widgets.splice(node.widgets.indexOf(widget), 1);
  widget.onRemove?.();
  const [width, height] = node.size;
  node.setSize([width, Math.max(height === after ? before : height, node.computeSize()[1])]);
  node.setDirtyCanvas?.(true, true);
}

export class Editor {
  // Height in pixels. An editor has `read`, what is shown as one text, and `draw`.
  constructor(node, name, height) {
    this.node = node;
    this.canvas = make("canvas", { tabIndex: 0 });
    this.bar = make("div", { className: "actalker-bar" });
    this.element = make("div", { className: "actalker-editor" }, this.canvas, this.bar);
    this.element.dataset.editor = name;
    // These are the editor's; the graph behind it does not hear of them.
    for (const type of ["pointerdown", "dblclick", "contextmenu"]) {
      this.element.addEventListener(type, (event) => event.stopPropagation());
    }
    const before = node.size[1];
    this.widget = addElement(node, name, this.element, height, NODE_WIDTH_PX);
    this.heights = { before, after: node.size[1] };
    this.shown = null;
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    onRemoved(node, () => this.close());
    this.observer = new ResizeObserver(() => this.redraw());
    this.observer.observe(this.canvas);
  }

  close() {
    closed.add(this.element);
    clearInterval(this.timer);
    this.observer.disconnect();
  }

  remove() {
    this.close();
    removeWidget(this.node, this.widget, this.heights);
  }

  // Calls methods of the editor when the canvas has events of these types.
  listen(methods) {
    for (const [type, act] of Object.entries(methods)) this.canvas.addEventListener(type, act.bind(this));
  }

  value(name) {
    return findWidget(this.node, name)?.value;
  }

  set(name, value) {
    setWidget(this.node, name, value);
  }

  // What `note` says below the canvas, and whether it is a fault.
  showNote(text, isFault = false) {
    if (this.note.textContent !== text) this.note.textContent = this.note.title = text;
    this.note.classList.toggle("fault", isFault);
  }

  // A part of a picture on the canvas: `box` in shares of it, which is so many pixels in `size`.
  fit(box, [width, height]) {
    return new View(this.canvas.clientWidth, this.canvas.clientHeight, box, width / height);
  }

  // Draws where what is shown has changed: widgets may be typed into, loaded or undone.
  look() {
    this.takePlace();
    if (!this.element.isConnected || !this.element.offsetParent) return;
    const state = this.read();
    if (state === this.shown) return;
    this.shown = state;
    this.redraw();
  }

  // Undo makes each node anew; Nodes 2.0 keeps what stands on a node of the same number, so that it
  // would show an editor that edits nothing any more.
  takePlace() {
    if (this.element.isConnected || this.node.graph?.id !== app.canvas.graph?.id) return;
    const { editor } = this.element.dataset;
    const places = document.querySelectorAll(`[data-node-id="${this.node.id}"] [data-editor="${editor}"]`);
    [...places].find((place) => closed.has(place))?.replaceWith(this.element);
  }

  redraw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const scale = Math.max(window.devicePixelRatio || 1, 1);
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const context = this.canvas.getContext("2d");
    context.scale(scale, scale);
    this.draw(context, width, height);
  }

  // Where a pointer is, in the canvas's own pixels, whatever the zoom of the graph.
  locate(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    return [(x * this.canvas.clientWidth) / box.width, (y * this.canvas.clientHeight) / box.height];
  }
}
