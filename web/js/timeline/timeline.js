// Lanes over time, with the sound behind: keys and flags are clicked, dragged, named and deleted.
import { Editor } from "../base/editor.js";
import { make, makeButton } from "../base/elements.js";
import { EXPRESSIONS, nameExpression } from "../base/expressions.js";
import { EASES, FPS, clamp } from "../base/grammar.js";
import { findSoundAround, loudnessOfFrames } from "../base/sound.js";
import { makeWords } from "../base/words.js";
import { placeWindows } from "./windows.js";

const RULER_PX = 14, LANE_MARGIN_PX = 6, EDGE_PX = 5.5, NAME_MARGIN_PX = 12;
const LEAST_SECONDS = 2, SCRUB_MS = 120;
const GRID_SECONDS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 3600];
const GRID_PX = 48;
const word = makeWords("timeline"), nameEase = makeWords("eases");

// What stands behind the lanes is found by findWindows() and findSeconds(), the least that is shown;
// height in pixels.
export class Timeline extends Editor {
  constructor(node, { lanes, height, findWindows = () => null, findSeconds = () => 0 }) {
    super(node, "timeline", height);
    Object.assign(this, { lanes, findWindows, findSeconds });
    this.element.timeline = this; // for who looks at the page from the console
    this.sound = this.windows = null;
    this.leastSeconds = this.shownSeconds = LEAST_SECONDS;
    this.left = EDGE_PX; // of the lanes; their names stand before it
    this.chosen = null; // {index of the lane, seconds}
    this.dragged = null;
    this.playhead = null;
    this.buildBar();
    const on = (type, act) => this.canvas.addEventListener(type, act.bind(this));
    on("pointerdown", this.press);
    on("pointermove", this.move);
    on("pointerup", this.release);
    on("pointercancel", this.release);
    on("dblclick", this.focusName);
    on("contextmenu", this.removeAt);
    on("keydown", this.typeKey);
  }

  buildBar() {
    this.play = makeButton("▶", "", () => this.togglePlay());
    const [{ hasWords }] = this.lanes;
    this.ease = make("select", { title: word("ease"), hidden: hasWords });
    this.ease.onchange = () => this.change({ ease: this.ease.value });
    this.ease.append(...EASES.map((ease) => new Option(nameEase(ease), ease)));
    this.name = make("input", { title: word("expression"), hidden: !hasWords });
    this.name.onchange = () => this.change({ words: this.name.value });
    this.name.addEventListener("keydown", (event) => {
      event.stopPropagation(); // letters are no shortcuts here
      if (event.key === "Enter" && !event.isComposing) this.name.blur();
    });
    this.trash = makeButton("✕", word("remove"), () => this.drop());
    this.note = make("output");
    this.bar.append(this.play, this.ease, this.name, this.offerMoods(), this.trash, this.note);
  }

  offerMoods() {
    const list = make("datalist", { id: `actalker-moods-${Math.random().toString(36).slice(2)}` });
    for (const name of EXPRESSIONS) {
      const label = nameExpression(name);
      list.append(new Option(label === name ? "" : label, name)); // twice the same would be shown twice
    }
    this.name.setAttribute("list", list.id);
    return list;
  }

  // What is shown, as one text; the graph around is asked here alone.
  read() {
    const sound = findSoundAround(this.node);
    if (sound !== this.sound) this.shown = null; // one as long as the last is drawn anew too
    this.sound = sound;
    this.windows = this.findWindows();
    this.leastSeconds = Math.max(this.findSeconds(), LEAST_SECONDS);
    return JSON.stringify([this.lanes.map(({ state }) => state), this.windows, this.leastSeconds]);
  }

  // --- Places

  measureSeconds() {
    if (this.dragged) return this.shownSeconds; // the scale stays while an item is on its way
    const times = this.lanes.flatMap((lane) => lane.items.map(({ seconds }) => seconds * 1.15));
    return Math.max(this.sound?.seconds ?? 0, this.leastSeconds, ...times);
  }

  get laneHeight() {
    return (this.canvas.clientHeight - RULER_PX) / this.lanes.length;
  }

  view(index) {
    const { left, laneHeight, shownSeconds: seconds, sound } = this;
    const width = this.canvas.clientWidth;
    const top = RULER_PX + LANE_MARGIN_PX + index * laneHeight;
    const height = laneHeight - 2 * LANE_MARGIN_PX;
    const place = (time, value) => [
      left + (time / seconds) * (width - left - EDGE_PX), top + (1 - value) * height,
    ];
    return { top, height, width, seconds, place, sound };
  }

  unplace(index, [x, y]) {
    const { top, height, width, seconds } = this.view(index);
    const share = clamp((x - this.left) / (width - this.left - EDGE_PX));
    return { seconds: share * seconds, value: clamp(1 - (y - top) / height) };
  }

  findLane(y) {
    return clamp(Math.floor((y - RULER_PX) / this.laneHeight), 0, this.lanes.length - 1);
  }

  // {index: of the lane at a place, item: there, or null}.
  findItem(at) {
    const index = this.findLane(at[1]);
    return { index, item: this.lanes[index].find(this.view(index), at) };
  }

  // --- Pointer and keyboard

  press(event) {
    if (event.button !== 0) return;
    this.look(); // what was typed a moment ago
    const at = this.locate(event);
    this.canvas.focus();
    this.canvas.setPointerCapture(event.pointerId);
    if (at[1] < RULER_PX) {
      this.dragged = { ruler: true };
      return this.scrub(at);
    }
    let { index, item } = this.findItem(at);
    const isNew = !item;
    if (isNew) {
      const place = this.unplace(index, at);
      this.edit(index, (lane) => lane.add(place));
      item = this.findNear(index, place.seconds);
    }
    this.choose(index, item);
    if (item) this.dragged = { index, item, from: at, isNew };
  }

  move(event) {
    const at = this.locate(event);
    if (!this.dragged) {
      const isRuler = at[1] < RULER_PX;
      this.canvas.style.cursor = isRuler ? "ew-resize" : this.findItem(at).item ? "grab" : "crosshair";
      return;
    }
    if (this.dragged.ruler) return this.scrub(at);
    const { index, item, from } = this.dragged;
    if (at[0] === from[0] && at[1] === from[1]) return;
    this.dragged.hasMoved = true;
    this.dragged.item = this.changeItem(index, item, this.unplace(index, at)) ?? item;
  }

  release() {
    const { isNew, hasMoved } = this.dragged ?? {};
    this.dragged = null;
    this.redraw();
    if (isNew && !hasMoved) this.focusName();
  }

  focusName() {
    if (!this.chosenItem() || this.name.hidden) return;
    this.name.focus();
    this.name.select();
  }

  removeAt(event) {
    event.preventDefault();
    const { index, item } = this.findItem(this.locate(event));
    if (!item) return;
    this.choose(index, item);
    this.drop();
  }

  typeKey(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const item = this.chosenItem();
    if (event.key === " ") this.togglePlay();
    else if (item && (event.key === "Delete" || event.key === "Backspace")) this.drop();
    else if (item && event.key === "Enter") this.focusName();
    else if (item && event.key in steps) {
      const [right, up] = steps[event.key];
      this.change({ seconds: item.seconds + right / FPS, value: item.value + up * 0.05 });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // --- Sound

  // The playhead goes where the pointer is, and what is heard there sounds for a moment.
  scrub(at) {
    this.playhead = this.unplace(0, at).seconds;
    this.redraw();
    const player = this.openPlayer();
    if (!player) return;
    player.currentTime = this.playhead;
    if (this.isPlaying) return;
    player.play().catch(() => {}); // a browser may want a click first
    clearTimeout(this.scrubTimer);
    this.scrubTimer = setTimeout(() => !this.isPlaying && player.pause(), SCRUB_MS);
  }

  openPlayer() {
    const url = this.sound?.url;
    if (!url) return null;
    if (this.player?.getAttribute("src") !== url) {
      this.player?.pause();
      this.player = new Audio(url);
      this.player.addEventListener("ended", () => this.stop());
    }
    return this.player;
  }

  togglePlay() {
    const player = this.openPlayer();
    if (!player) return;
    if (this.isPlaying) return this.stop();
    const isOver = this.playhead >= this.sound.seconds - 0.05;
    player.currentTime = isOver ? 0 : (this.playhead ?? 0);
    this.isPlaying = true;
    player.play().catch(() => this.stop());
    const follow = () => {
      if (!this.isPlaying) return;
      this.playhead = player.currentTime;
      this.redraw();
      requestAnimationFrame(follow);
    };
    follow();
  }

  stop() {
    this.isPlaying = false;
    this.player?.pause();
    this.redraw();
  }

  close() {
    super.close();
    this.isPlaying = false;
    this.player?.pause();
  }

  // --- Edits

  edit(index, act) {
    try {
      act(this.lanes[index]);
    } catch {} // a text that cannot be read is left to its author, who is told of it in any case
    this.redraw();
  }

  choose(index, item) {
    this.chosen = item && { index, seconds: item.seconds };
    this.redraw();
  }

  findNear(index, seconds) {
    return this.lanes[index].items.find((item) => Math.abs(item.seconds - seconds) < 1e-3) ?? null;
  }

  chosenItem() {
    return this.chosen && this.findNear(this.chosen.index, this.chosen.seconds);
  }

  // The item as it stands after a change, or null where nothing changed.
  changeItem(index, item, changes) {
    const lane = this.lanes[index];
    const before = lane.text;
    const place = lane.items.findIndex(({ start }) => start === item.start);
    this.edit(index, () => lane.change(item, changes));
    if (lane.text === before) return null;
    const changed = lane.items[place];
    this.choose(index, changed);
    return changed;
  }

  change(changes) {
    const item = this.chosenItem();
    if (item) this.changeItem(this.chosen.index, item, changes);
  }

  drop() {
    const item = this.chosenItem();
    if (!item) return;
    this.edit(this.chosen.index, (lane) => lane.remove(item));
    this.choose(0, null);
  }

  // --- Drawing

  draw(context, width, height) {
    this.shownSeconds = this.measureSeconds();
    context.clearRect(0, 0, width, height);
    if (this.lanes.length > 1) this.drawNames(context, width);
    const { place } = this.view(0);
    if (this.windows) this.drawWindows(context, place, height);
    this.drawRuler(context, place, width, height);
    const item = this.chosenItem();
    this.lanes.forEach((lane, index) => {
      const view = this.view(index);
      if (this.sound) this.drawSound(context, view);
      lane.draw(context, view, item && this.chosen.index === index ? item : null);
    });
    if (this.playhead !== null) {
      const [x] = place(this.playhead, 0);
      context.fillStyle = "#ffd866";
      context.fillRect(x - 0.75, 0, 1.5, height);
    }
    this.updateBar(item);
  }

  updateBar(item) {
    const { sound } = this;
    this.ease.disabled = this.name.disabled = this.trash.disabled = !item;
    this.play.disabled = !sound?.url;
    this.play.title = word(sound?.url ? "play" : sound ? "noFile" : "noSound");
    this.play.textContent = this.isPlaying ? "⏸" : "▶";
    if (document.activeElement !== this.name) this.name.value = item?.words ?? "";
    if (item?.ease) this.ease.value = item.ease;
    const fault = this.lanes.map((each) => each.fault).find(Boolean);
    const at = item && [`${item.seconds.toFixed(2)} s`, item.value?.toFixed(2)].filter(Boolean).join(": ");
    this.note.textContent = fault?.message ?? at ?? word("help");
    this.note.title = fault?.message ?? word(this.name.hidden ? "keyHelp" : "flagHelp");
    this.note.classList.toggle("fault", Boolean(fault));
  }

  // Names of several lanes have a column of their own, where no curve runs through them.
  drawNames(context, width) {
    context.font = "10px sans-serif";
    context.textBaseline = "middle";
    this.left = Math.max(...this.lanes.map(({ label }) => context.measureText(label).width)) + NAME_MARGIN_PX;
    this.lanes.forEach(({ label, color }, index) => {
      const { top, height } = this.view(index);
      context.fillStyle = "#40434d";
      context.fillRect(0, top - LANE_MARGIN_PX, width, 1);
      context.fillStyle = color;
      context.fillText(label, EDGE_PX, top + height / 2);
    });
  }

  // What one window of the sampler sees at the first step; where two share frames it is lighter.
  drawWindows(context, place, height) {
    placeWindows(this.windows, this.sound?.seconds ?? this.shownSeconds).forEach((parts, i) => {
      context.fillStyle = `rgba(122, 162, 247, ${i % 2 ? 0.07 : 0.13})`;
      for (const [start, end] of parts) {
        const [[left], [right]] = [place(start, 0), place(end, 0)];
        context.fillRect(left + 0.5, RULER_PX, Math.max(right - left - 1, 0), height - RULER_PX);
      }
    });
  }

  drawRuler(context, place, width, height) {
    const seconds = this.shownSeconds;
    const most = seconds / Math.max(width / GRID_PX, 1);
    const step = GRID_SECONDS.find((each) => each >= most) ?? Math.ceil(most / 3600) * 3600;
    context.font = "9px sans-serif";
    context.textBaseline = "top";
    for (let i = 0; i * step <= seconds; i++) {
      const [x] = place(i * step, 0);
      context.fillStyle = "#2b2d35";
      context.fillRect(x, RULER_PX, 1, height - RULER_PX);
      context.fillStyle = "#8a8d98";
      context.fillText(`${Number((i * step).toFixed(2))} s`, Math.min(x + 2, width - 26), 2);
    }
  }

  drawSound(context, { top, height, width, seconds }) {
    const columns = Math.max(Math.floor(width - this.left - EDGE_PX), 1);
    const loudness = loudnessOfFrames(this.sound, columns, columns / seconds);
    const peak = Math.max(...loudness, 1e-9);
    context.fillStyle = "#34384a";
    loudness.forEach((loud, i) => {
      const full = (loud / peak) * height;
      context.fillRect(this.left + i, top + (height - full) / 2, 1, full);
    });
  }
}
